//! What a server under test says, and what it must not say: tokens, api keys, patients and their pseudonyms. Everything that this process
//! logs (at the level `trace`), every span, every answer, every event and the metrics are searched for those that the tests of this process
//! use: as they are, in any case, without hyphens, percent-encoded and in base64. The path that was asked for (`meta.url`) and, as the
//! subject of a success, the patient that it names are the client's own; nothing else may hold a patient.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Uuid};
use esoz::Config;
use esoz_testkit::builders::reference;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use serde_json::Value;
use tracing::subscriber::set_global_default;

use crate::world::DEADLINE;

/// What is shorter is no secret of ours, and may stand anywhere by chance.
const SECRET_MIN_CHARS: usize = 32;

static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// What must not be said, in each of its [`forms`], and what it is.
static SECRETS: Mutex<BTreeMap<String, &'static str>> = Mutex::new(BTreeMap::new());
/// The paths that were asked for. An answer may repeat them.
static ASKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

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
        lock(&SECRETS).extend(forms(text).into_iter().map(|form| (form, what)));
    }
}

/// That path is asked for; the query, if it has one, is nothing that an answer may repeat.
pub(crate) fn ask(path: &str) {
    let path = path.split('?').next().unwrap_or_default();
    lock(&ASKED).insert(path.to_owned());
}

/// What a secret is told by, in lower case: itself, itself without hyphens, and what its base64 has in the middle, wherever in an
/// encoded text it begins. Percent-encoding is undone in the text instead.
fn forms(secret: &str) -> BTreeSet<String> {
    let in_base64 = [(0, 0), (1, 2), (2, 3)].map(|(before, mixed)| {
        // `mixed` characters tell of what is before, and those of the last, unfinished one of what comes after.
        let whole = (before + secret.len()) * 8 / 6;
        base64(&format!("{}{secret}", "\0".repeat(before)))[mixed..whole].to_owned()
    });
    let forms = in_base64.into_iter().chain([secret.to_owned(), secret.replace('-', "")]);
    forms.map(|form| form.to_lowercase()).filter(|form| form.len() >= SECRET_MIN_CHARS).collect()
}

/// The base64 of a text.
pub fn base64(text: &str) -> String {
    let binary = Binary { subtype: BinarySubtype::Generic, bytes: text.as_bytes().to_vec() };
    let json = Bson::Binary(binary).into_relaxed_extjson();
    json["$binary"]["base64"].as_str().expect("base64").to_owned()
}

/// The text with every percent-encoded byte as it was.
fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let encoded = part.split_at_checked(2);
        match encoded.and_then(|(digits, rest)| Some((u8::from_str_radix(digits, 16).ok()?, rest))) {
            Some((byte, rest)) => decoded.extend([&*char::from(byte).to_string(), rest]),
            None => decoded.extend(["%", part]),
        }
    }
    decoded
}

/// What a text tells that it must not, in whatever form.
fn told_in(place: &str, text: &str) -> Option<String> {
    let searched = text.to_lowercase();
    let decoded = searched.contains('%').then(|| percent_decoded(&searched).to_lowercase());
    let secrets = lock(&SECRETS);
    let is_told =
        |form: &str| searched.contains(form) || decoded.as_ref().is_some_and(|text| text.contains(form));
    let told: BTreeSet<&str> =
        secrets.iter().filter(|(form, _)| is_told(form)).map(|(_, what)| *what).collect();
    let told = told.into_iter().collect::<Vec<_>>().join(", ");
    (!told.is_empty()).then(|| format!("{place} holds what nobody may see: {told}: {text}"))
}

/// Holds a text against what must not be said.
#[track_caller]
pub(crate) fn assert_keeps_secrets(place: &str, text: &str) {
    let told = told_in(place, text);
    assert!(told.is_none(), "{}", told.unwrap_or_default());
}

/// The same for each line of a text; tells of all that do not.
#[track_caller]
fn assert_lines_keep_secrets(place: &str, text: &str) {
    let told: Vec<String> = text.lines().filter_map(|line| told_in(place, line)).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// An answer's body without what is the client's own: the path that was asked for, and as the subject the patient in it.
///
/// # Panics
/// When the subject is another.
#[track_caller]
pub(crate) fn without_own(mut body: Value) -> Value {
    let url = body.pointer("/meta/url").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(subject) = body.pointer_mut("/data/subject") {
        let patient = url.split_once("/api/patients/").and_then(|(_, rest)| rest.split('/').next());
        let patient = patient.and_then(|patient| Uuid::parse_str(patient).ok());
        let own = patient.map(|patient| reference("patient", patient));
        let given = Some(subject.take());
        assert!(given == own, "the subject is not the patient that was asked for: {given:?} at {url}");
    }
    let asked = lock(&ASKED);
    if let Some(path) = asked.iter().filter(|path| url.ends_with(*path)).max_by_key(|path| path.len()) {
        body["meta"]["url"] = url.strip_suffix(path).into();
    }
    body
}

/// Searches all that was said when a world ends.
pub(crate) struct Secrecy {
    /// Where its metrics are, while its server runs.
    pub(crate) metrics: Option<SocketAddr>,
}

impl Secrecy {
    /// Searches the metrics, for the last time: their server is about to stop.
    pub(crate) fn search_metrics(&mut self) {
        if let Some(address) = self.metrics.take() {
            let metrics = metrics_at(address);
            assert!(metrics.contains("# TYPE"), "{metrics}");
            assert_lines_keep_secrets("a metric", &metrics);
        }
    }
}

impl Drop for Secrecy {
    fn drop(&mut self) {
        // A test that has failed says why; one reason is enough.
        if std::thread::panicking() {
            return;
        }
        assert_lines_keep_secrets("a line of the log or a span", &said());
        self.search_metrics();
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
