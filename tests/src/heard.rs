//! What a server under test says, and what it must not say: tokens, api keys, patients and their pseudonyms. Everything that this process
//! logs (at the level `trace`), every span, every answer, every event and the metrics are searched for those that the tests of this process
//! use. The request's own path (`meta.url`) and the subject of its own success are the client's; nothing else may hold a patient.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use esoz::Config;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use serde_json::Value;
use tracing::subscriber::set_global_default;

use crate::world::DEADLINE;

/// What is shorter is no secret of ours, and may stand anywhere by chance.
const SECRET_MIN_CHARS: usize = 32;

static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// What must not be said, and what it is.
static SECRETS: Mutex<BTreeMap<String, &'static str>> = Mutex::new(BTreeMap::new());

fn lock<T>(shared: &'static Mutex<T>) -> MutexGuard<'static, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on lines and spans of this process are heard, as `esoz serve` would write and send them with all that can be turned on.
pub(crate) fn listen() {
    static LISTENING: LazyLock<()> = LazyLock::new(|| {
        let variables =
            [("LOG__LEVEL", "trace"), ("LOG__FORMAT", "json"), ("PATIENT__KEY", crate::PATIENT_KEY)];
        let environment =
            variables.map(|(name, value)| (OsString::from(format!("ESOZ_{name}")), OsString::from(value)));
        let config = Config::from_sources(None, environment.into_iter()).unwrap();
        let provider = SdkTracerProvider::builder().with_simple_exporter(Spans).build();
        let subscriber = esoz::subscriber(&config, || Lines, false, Some(provider.tracer("esoz"))).unwrap();
        set_global_default(subscriber).expect("nobody else listens");
    });
    LazyLock::force(&LISTENING);
}

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&SAID).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Spans;

impl SpanExporter for Spans {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        writeln!(lock(&SAID), "{spans:?}").expect("memory");
        Ok(())
    }
}

/// Everything that was said until now.
pub fn said() -> String {
    String::from_utf8_lossy(&lock(&SAID)).into_owned()
}

/// From now on this must not be said. `what` names it in its place.
pub(crate) fn keep_secret(what: &'static str, text: &str) {
    if text.len() >= SECRET_MIN_CHARS {
        lock(&SECRETS).insert(text.to_owned(), what);
    }
}

/// What of it a text says, in whatever case.
fn secrets_in(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let secrets = lock(&SECRETS);
    secrets
        .iter()
        .filter(|(secret, _)| text.contains(&secret.to_lowercase()))
        .map(|(_, what)| *what)
        .collect()
}

/// Holds a text against what must not be said.
#[track_caller]
pub(crate) fn assert_keeps_secrets(place: &str, text: &str) {
    let told = secrets_in(text);
    assert!(told.is_empty(), "{place} holds what nobody may see: {}\n{text}", told.join(", "));
}

/// An answer's body without what is the client's own.
pub(crate) fn without_own(mut body: Value) -> Value {
    if let Some(url) = body.pointer_mut("/meta/url") {
        url.take();
    }
    if let Some(subject) = body.pointer_mut("/data/subject") {
        subject.take();
    }
    body
}

/// Searches all that was said when a world ends.
pub(crate) struct Secrecy {
    /// Where its metrics are, while its server runs.
    pub(crate) metrics: Option<SocketAddr>,
}

impl Drop for Secrecy {
    fn drop(&mut self) {
        // A test that has failed says why; one reason is enough.
        if std::thread::panicking() {
            return;
        }
        let said = said();
        for line in said.lines() {
            assert_keeps_secrets("a line of the log or a span", line);
        }
        if let Some(address) = self.metrics {
            let metrics = metrics_at(address);
            assert!(metrics.contains("# TYPE"), "{metrics}");
            assert_keeps_secrets("the metrics", &metrics);
        }
    }
}

/// The metrics, asked for in a way that needs no runtime.
fn metrics_at(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
