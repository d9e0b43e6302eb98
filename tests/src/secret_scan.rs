//! Scans what a server under test puts out for secrets: tokens, api keys, patients and their pseudonyms, taxpayer numbers, signers and what
//! they have signed.
//!
//! Everything that this process logs (at the level `trace`), every span, answer, event and metric is searched for the secrets that the
//! tests of this process use: verbatim, in any case, without hyphens, percent-encoded and in base64; signed documents also in
//! hexadecimal and as a list of numbers. The requested path (`meta.url`) and, as the subject of a success, the patient that it names are the
//! client's own; nothing else may hold a patient.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bson::Uuid;
use esoz::Config;
use esoz_testkit::builders::reference;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use serde_json::{Value, json};
use tracing::subscriber::set_global_default;

use crate::secret_forms::{Form, Secrets};
use crate::test_app::DEADLINE;

/// Anything shorter may occur anywhere by chance.
const SECRET_MIN_CHARS: usize = 32;
/// Numbers of people are shorter, but no shorter than this: such a one is searched for where it stands alone.
const NUMBER_MIN_CHARS: usize = 10;
/// How much of the content and of the signature of a signed document is searched for.
const PIECE_BYTES: usize = 48;

static CAPTURED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static SECRETS: Mutex<Secrets> = Mutex::new(Secrets::new());
/// The requested paths. An answer may repeat them.
static REQUESTED_PATHS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn lock<T>(shared: &'static Mutex<T>) -> MutexGuard<'static, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Captures the log lines and spans of this process from now on, as `esoz serve` writes and sends them with everything turned on.
pub(crate) fn capture() {
    static LISTENING: LazyLock<()> = LazyLock::new(|| {
        let variables =
            [("LOG__LEVEL", "trace"), ("LOG__FORMAT", "json"), ("PATIENT__KEY", crate::PATIENT_KEY)];
        let environment =
            variables.map(|(name, value)| (OsString::from(format!("ESOZ_{name}")), OsString::from(value)));
        let config = Config::from_sources(None, environment.into_iter()).unwrap();
        let provider = SdkTracerProvider::builder().with_simple_exporter(Spans).build();
        let subscriber = esoz::subscriber(&config, || Lines, false, Some(provider.tracer("esoz"))).unwrap();
        set_global_default(subscriber).expect("no other subscriber");
    });
    LazyLock::force(&LISTENING);
}

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&CAPTURED).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Spans;

impl SpanExporter for Spans {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        writeln!(lock(&CAPTURED), "{spans:?}").expect("memory");
        Ok(())
    }
}

/// Everything that was captured until now.
pub fn captured() -> String {
    String::from_utf8_lossy(&lock(&CAPTURED)).into_owned()
}

/// What a patient's id is called in a complaint.
pub(crate) const PATIENT_ID: &str = "a patient id";

/// Registers a secret that must not be found from now on. `what` names its kind in a complaint. What is too short to be one is passed over.
pub(crate) fn register_secret(what: &'static str, text: &str) {
    let verbatim = [text.to_owned(), text.replace('-', "")];
    let stands_alone = text.len() < SECRET_MIN_CHARS;
    if text.len() >= NUMBER_MIN_CHARS {
        register_forms(Form { what, stands_alone }, verbatim);
        register_forms(Form { what, stands_alone: false }, forms_in_base64(text.as_bytes()));
    }
}

/// Registers a signed document: a piece of its content and one of its signature, as they are sent and as bytes are printed.
pub(crate) fn register_signed_document(container: &[u8]) {
    let form = Form { what: "a signed document", stands_alone: false };
    if container.len() < 2 * PIECE_BYTES {
        return;
    }
    let content = &container[container.len() / 2 - PIECE_BYTES..container.len() / 2];
    for piece in [content, &container[container.len() - PIECE_BYTES..]] {
        let numbers = format!("{piece:?}");
        register_forms(form, [hex::encode(piece), numbers.trim_matches(['[', ']']).to_owned()]);
        register_forms(form, forms_in_base64(piece));
    }
}

fn register_forms(form: Form, texts: impl IntoIterator<Item = String>) {
    let mut secrets = lock(&SECRETS);
    texts.into_iter().for_each(|text| secrets.register(text.to_lowercase(), form));
}

/// Lets answers repeat a requested path, but not its query.
pub(crate) fn allow_path(path: &str) {
    let path = path.split('?').next().unwrap_or_default();
    lock(&REQUESTED_PATHS).insert(path.to_owned());
}

/// The middle of the base64 of a secret, wherever in an encoded text it begins.
fn forms_in_base64(secret: &[u8]) -> [String; 3] {
    [(0, 0), (1, 2), (2, 3)].map(|(before, mixed)| {
        // `mixed` characters tell of what is before, and those of the last, unfinished one of what comes after.
        let whole = (before + secret.len()) * 8 / 6;
        STANDARD.encode([&vec![0; before], secret].concat())[mixed..whole].to_owned()
    })
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

/// The complaint about secrets in a text, in whatever form; `None` when there are none.
fn leak_in(place: &str, text: &str) -> Option<String> {
    let searched = text.to_lowercase();
    let decoded = searched.contains('%').then(|| percent_decoded(&searched).to_lowercase());
    let mut secrets = lock(&SECRETS);
    let mut leaked = secrets.kinds_in(&searched);
    if let Some(decoded) = decoded {
        leaked.extend(secrets.kinds_in(&decoded));
    }
    let leaked = leaked.into_iter().collect::<Vec<_>>().join(", ");
    (!leaked.is_empty()).then(|| format!("{place} holds what nobody may see: {leaked}: {text}"))
}

/// Whether a text holds the id of a patient of this process, in whatever form. What is stored holds their pseudonyms, which are secrets elsewhere.
pub fn holds_patient_id(text: &str) -> bool {
    lock(&SECRETS).kinds_in(&text.to_lowercase()).contains(PATIENT_ID)
}

/// Asserts that a text holds no secret.
#[track_caller]
pub(crate) fn assert_no_secret(place: &str, text: &str) {
    let leak = leak_in(place, text);
    assert!(leak.is_none(), "{}", leak.unwrap_or_default());
}

/// Asserts the same of each line of a text; lists every line that fails.
#[track_caller]
fn assert_no_secret_in_lines(place: &str, text: &str) {
    let leaks: Vec<String> = text.lines().filter_map(|line| leak_in(place, line)).collect();
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// An answer's body without the client's own data: the requested path, as the subject the patient in it, and in a list of the caller's own
/// dispenses their patients.
///
/// # Panics
/// When a subject is another.
#[track_caller]
pub(crate) fn without_own_data(mut body: Value) -> Value {
    let url = body.pointer("/meta/url").and_then(Value::as_str).unwrap_or_default().to_owned();
    let patient = url.split_once("/api/patients/").and_then(|(_, rest)| rest.split('/').next());
    let patient = patient.and_then(|patient| Uuid::parse_str(patient).ok());
    let own = patient.map(|patient| reference("patient", patient));
    let is_of_own_dispense = |given: &Value| {
        let code = given.pointer("/identifier/type/coding/0/code");
        *given == json!({"display_value": null}) || code == Some(&json!("patient"))
    };
    let (entries, is_own_list) = match &mut body["data"] {
        Value::Array(entries) => (entries.as_mut_slice(), url.ends_with("/api/device_dispenses")),
        one => (std::slice::from_mut(one), false),
    };
    for subject in entries.iter_mut().filter_map(|entry| entry.get_mut("subject")) {
        let given = Some(subject.take());
        let is_own = given == own || is_own_list && given.as_ref().is_some_and(is_of_own_dispense);
        assert!(is_own, "the subject is not the patient that was asked for: {given:?} at {url}");
    }
    let asked = lock(&REQUESTED_PATHS);
    if let Some(path) = asked.iter().filter(|path| url.ends_with(*path)).max_by_key(|path| path.len()) {
        body["meta"]["url"] = url.strip_suffix(path).into();
    }
    body
}

/// Scans everything that was captured when a test app ends.
pub(crate) struct SecretScan {
    /// Where the metrics are, while the server runs.
    pub(crate) metrics: Option<SocketAddr>,
}

impl SecretScan {
    /// Scans the metrics, for the last time: the server is about to stop.
    pub(crate) fn search_metrics(&mut self) {
        if let Some(address) = self.metrics.take() {
            let metrics = metrics_at(address);
            assert!(metrics.contains("# TYPE"), "{metrics}");
            assert_no_secret_in_lines("a metric", &metrics);
        }
    }
}

impl Drop for SecretScan {
    fn drop(&mut self) {
        // A test that has failed says why; one reason is enough.
        if std::thread::panicking() {
            return;
        }
        assert_no_secret_in_lines("a line of the log or a span", &captured());
        self.search_metrics();
    }
}

/// Requests the metrics without an async runtime.
fn metrics_at(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
