//! The search for what must not be said finds it, whatever it is, wherever and in whatever form it is said: a test that finds nothing would
//! tell nothing.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::any::Any;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use esoz_device_dispense::{DeviceDispenses, Dispense, Transition};
use esoz_kernel::{Committed, StoreError};
use esoz_testkit::builders::{fresh, reference};
use esoz_testkit::doubles::{DeviceDispensesDouble, Double};
use esoz_tests::{
    CreateFixture, DEADLINE, Documents, Kind, Setup, SignedAction, SignedFixture, StopFixture, TestApp,
    UpdateFixture, digest_of, person, secret_scan, signed_data,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{info_span, trace};

/// A secret of each kind that is a text, after a server has seen it: what it is, and itself.
async fn secrets(app: &TestApp, documents: &Documents) -> [(&'static str, String); 7] {
    let (stop, update) = (StopFixture::load(app).await, UpdateFixture::load(app).await);
    assert_eq!(stop.stop(app).await.status, 200);
    assert_eq!(update.update(app).await.status, 200);
    let create = CreateFixture::load(app).await;
    assert_eq!(create.create(app, &create.body()).await.status, 201);
    for action in SignedAction::ALL {
        assert_eq!(SignedFixture::load(app, documents).await.change(app, action).await.status, 200);
    }
    let mut signed = SignedFixture::new(app, documents);
    let pharmacist = person(Some(DRFO));
    signed.signer = documents.authority.signer(&pharmacist, Documents::VALID).unwrap();
    signed.party.facts.drfo = digest_of(DRFO);
    signed.store(app).await;
    assert_eq!(signed.change(app, SignedAction::Complete).await.status, 200);
    [
        ("a token", stop.token.expose().to_owned()),
        ("an api key", update.api_key.expose().to_owned()),
        ("a patient id", stop.patient.uuid().to_string()),
        ("a pseudonym", stop.dispense.subject.expose().to_owned()),
        ("a taxpayer number", DRFO.to_owned()),
        ("a digest of a taxpayer number", digest_of(DRFO).unwrap().expose().to_owned()),
        ("a signer", pharmacist.name),
    ]
}

fn complaint(panic: &(dyn Any + Send)) -> String {
    panic.downcast_ref::<String>().expect("a complaint in words").clone()
}

/// What is found when the app ends.
fn found_at_the_end_of(app: TestApp) -> String {
    let end = catch_unwind(AssertUnwindSafe(|| drop(app)));
    complaint(end.expect_err("an app that ends with a complaint").as_ref())
}

/// Holds what was found against something that was planted: what it is, and what else is in the same line.
#[track_caller]
fn assert_found(found: &str, place: &str, what: &str, mark: &str) {
    let complaint = format!("{place} holds what nobody may see: ");
    let is_it = |line: &str| {
        let kinds = line.strip_prefix(&complaint).and_then(|line| line.split_once(": "));
        kinds.is_some_and(|(kinds, told)| kinds.split(", ").any(|kind| kind == what) && told.contains(mark))
    };
    let is_found = found.lines().any(is_it);
    assert!(is_found, "{what} in {place} ({mark}) was not found, but\n{found}");
}

/// Answers whatever is asked with that header and that body.
fn answering(planted: &str, body: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nplanted: {planted}\r\ncontent-length: {length}\r\nconnection: close\r\n");
    let answer = format!("{head}\r\n{body}");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let asked = BufReader::new(&stream).lines().map_while(Result::ok);
            asked.take_while(|line| !line.is_empty()).for_each(drop);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

/// What is found in an answer with that header and that body, to a request for that path.
async fn found_in_answer(app: &TestApp, path: &str, planted: &str, body: &Value) -> String {
    let base = format!("http://{}", answering(planted, &body.to_string()));
    let answered = tokio::spawn(app.request_at(&base, Method::PATCH, path).send()).await;
    complaint(answered.expect_err("an answer that is complained about").into_panic().as_ref())
}

/// A taxpayer number that occurs nowhere by chance.
const DRFO: &str = "3141592653";

const LINE_OR_SPAN: &str = "a line of the log or a span";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_line_or_a_span_tells_is_found_when_the_app_ends() {
    let documents = Documents::new();
    let app = documents.start(Kind::Sqlite).await;
    let secrets = secrets(&app, &documents).await;
    // What is searched is really there: lines, spans of requests, of use cases and of stores.
    let captured = secret_scan::captured();
    for expected in [
        "\"message\":\"request\"",
        "stop_device_dispense",
        "store.device_dispenses.commit",
        "create_device_dispense",
        "store.dispense_writes.create",
        "complete_device_dispense",
        "mark_device_dispense_in_error",
        "store.dispense_writes.change",
    ] {
        assert!(captured.contains(expected), "{expected} was not captured:\n{captured}");
    }
    for (_, secret) in &secrets {
        trace!(target: "esoz_http", "in a message: {secret}");
        trace!(target: "esoz_http", header = format!("Bearer {secret}"), "in a field");
        drop(info_span!(target: "esoz_http", "in a span", field = secret));
        info_span!(target: "esoz_http", "around", field = secret)
            .in_scope(|| trace!(target: "esoz_http", "in a span around"));
    }
    let found = found_at_the_end_of(app);
    for (what, _) in secrets {
        for mark in ["\"in a message", "\"in a field\"", "name: \"in a span\"", "\"in a span around\""] {
            assert_found(&found, LINE_OR_SPAN, what, mark);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_is_found() {
    let documents = Documents::new();
    let app = documents.start(Kind::Sqlite).await;
    let secrets = secrets(&app, &documents).await;
    let every_byte = |secret: &str| {
        let bytes: Vec<String> = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        bytes.concat()
    };
    let base64 = |before: &str, secret: &str| STANDARD.encode(format!("{before}{secret} and more"));
    for (_, secret) in &secrets {
        trace!(target: "esoz_http", form = secret.to_uppercase(), "upper case");
        trace!(target: "esoz_http", form = secret.to_lowercase(), "lower case");
        trace!(target: "esoz_http", form = secret.replace('-', "").to_uppercase(), "without hyphens");
        trace!(target: "esoz_http", form = secret.replace('-', "%2D"), "hyphens encoded");
        trace!(target: "esoz_http", form = format!("100% of %{}", every_byte(secret)), "every byte encoded");
        trace!(target: "esoz_http", form = STANDARD.encode(secret), "base64 alone");
        trace!(target: "esoz_http", form = base64("a:", secret), "base64 of the third byte on");
        trace!(target: "esoz_http", form = base64("a=b:", secret), "base64 of the fifth byte on");
    }
    let found = found_at_the_end_of(app);
    for (what, _) in secrets {
        for mark in [
            "upper case",
            "lower case",
            "without hyphens",
            "hyphens encoded",
            "every byte encoded",
            "base64 alone",
            "base64 of the third",
            "base64 of the fifth",
        ] {
            assert_found(&found, LINE_OR_SPAN, what, mark);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_document_is_found_however_its_bytes_are_printed() {
    let documents = Documents::new();
    let app = documents.start(Kind::Sqlite).await;
    let fixture = SignedFixture::load(&app, &documents).await;
    let container = fixture.container(&fixture.content(SignedAction::Complete));
    assert_eq!(fixture.request_with(&app, SignedAction::Complete, &container).send().await.status, 200);
    let (content, signature) = (&container[..container.len() / 2], &container[container.len() / 2..]);
    trace!(target: "esoz_http", body = signed_data(&container).to_string(), "as it is sent");
    trace!(target: "esoz_http", signed_data = ?container, "as numbers");
    trace!(target: "esoz_http", signed_data = hex::encode_upper(&container), "in hexadecimal");
    trace!(target: "esoz_http", content = hex::encode(content), "the content alone");
    trace!(target: "esoz_http", signature = signed_data(signature).to_string(), "the signature alone");
    let found = found_at_the_end_of(app);
    for mark in ["as it is sent", "as numbers", "in hexadecimal", "the content alone", "the signature alone"]
    {
        assert_found(&found, LINE_OR_SPAN, "a signed document", mark);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_within_a_longer_one_is_no_taxpayer_number() {
    let app = TestApp::new(Kind::Sqlite).await;
    person(Some(DRFO));
    trace!(target: "esoz_http", "{DRFO}1 1{DRFO} a{DRFO}");
    drop(app);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_tells_is_found_in_its_body_and_in_its_head() {
    let documents = Documents::new();
    let app = documents.start(Kind::Sqlite).await;
    for (what, secret) in secrets(&app, &documents).await {
        let body = json!({"data": {"deep": [secret]}});
        assert_found(&found_in_answer(&app, "/", "nothing", &body).await, "an answer", what, "deep");
        let found = found_in_answer(&app, "/", &secret, &json!({})).await;
        assert_found(&found, "the head of an answer", what, "planted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_repeats_the_path_and_the_patient_that_were_asked_for_and_no_others() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    let another = StopFixture::new(&app);
    let [own, others] = [&fixture, &another].map(|fixture| format!("http://localhost{}", fixture.path()));
    let about = |url: &str, subject: Value| json!({"meta": {"url": url}, "data": {"subject": subject}});
    let ask = async |body: &Value| found_in_answer(&app, &fixture.path(), "nothing", body).await;
    for subject in [
        reference("patient", another.patient.uuid()),
        reference("patient", fresh()),
        reference("person", fixture.patient.uuid()),
        json!(fixture.dispense.subject.expose()),
        Value::Null,
    ] {
        let found = ask(&about(&own, subject)).await;
        assert!(found.starts_with("the subject is not the patient that was asked for"), "{found}");
    }
    let found = ask(&about(&others, reference("patient", another.patient.uuid()))).await;
    assert_found(&found, "an answer", "a patient id", &others);
    // Its own are passed over: what is left to complain about is that this is no answer of ours.
    let found = ask(&about(&own, reference("patient", fixture.patient.uuid()))).await;
    assert!(found.contains("not as described"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_metric_tells_is_found_when_the_app_ends() {
    let documents = Documents::new();
    let app = documents.start(Kind::Sqlite).await;
    let secrets = secrets(&app, &documents).await;
    let planted = secrets.each_ref().map(|(_, secret)| format!("planted{{label=\"{secret}\"}} 1"));
    let metrics = answering("nothing", &format!("# TYPE planted counter\n{}\n", planted.join("\n")));
    let found = found_at_the_end_of(app.with_metrics_at(metrics));
    for (what, secret) in secrets {
        assert_found(&found, "a metric", what, &secret);
    }
}

/// Tells something after it was allowed to.
struct Telling {
    inner: Arc<dyn DeviceDispenses>,
    begun: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

#[async_trait]
impl DeviceDispensesDouble for Telling {
    fn inner(&self) -> &dyn DeviceDispenses {
        &*self.inner
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        self.begun.add_permits(1);
        self.go_on.acquire().await.unwrap().forget();
        trace!(target: "esoz_http", subject = change.subject.as_ref().unwrap().expose(), "during the shutdown");
        self.inner.commit(change).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_tells_while_it_stops_is_found_when_it_has_ended() {
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (has_begun, may_go_on) = (begun.clone(), go_on.clone());
    let setup = Setup::new(Kind::Sqlite).replace(move |parts| {
        let inner = parts.stores.dispenses.clone();
        parts.stores.dispenses = Arc::new(Double(Telling { inner, begun, go_on }));
    });
    let app = setup.start().await;
    let fixture = StopFixture::load(&app).await;
    let request = tokio::spawn(fixture.request(&app).send());
    timeout(DEADLINE, has_begun.acquire()).await.unwrap().unwrap().forget();

    let (stores, ended) = app.begin_to_stop();
    may_go_on.add_permits(1);
    assert_eq!(request.await.unwrap().status, 200);
    let found = ended.await.expect_err("an end with a complaint").into_panic();
    assert_found(&complaint(found.as_ref()), LINE_OR_SPAN, "a pseudonym", "during the shutdown");
    drop(stores);
}
