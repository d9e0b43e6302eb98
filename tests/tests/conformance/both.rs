//! C01 to C05: what holds for every request. (C06: `described.rs`.)

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use esoz::Parts;
use esoz_device_dispense::{DeviceDispenses, Dispense, Transition};
use esoz_kernel::{Committed, LegalEntityId, StoreError};
use esoz_legal_entity::{LegalEntities, LegalEntity};
use esoz_testkit::doubles::{DeviceDispensesDouble, Double};
use esoz_tests::{DEADLINE, Setup, StopFixture, TestApp, UpdateFixture, on_every_store};
use reqwest::Method;
use tokio::sync::Semaphore;

/// A port with a mistake in it.
pub(crate) struct Panicking;

#[async_trait]
impl LegalEntities for Panicking {
    async fn find(&self, _: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        panic!("a mistake, made on purpose");
    }
}

/// Holds changes back until told to go on.
struct Held {
    inner: Arc<dyn DeviceDispenses>,
    gate: Gate,
}

/// Where changes are held back.
#[derive(Clone)]
pub(crate) struct Gate {
    begun: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { begun: Arc::new(Semaphore::new(0)), go_on: Arc::new(Semaphore::new(0)) }
    }

    /// Holds back all changes of dispenses.
    pub(crate) fn hold(&self, parts: &mut Parts) {
        let inner = parts.stores.dispenses.clone();
        parts.stores.dispenses = Arc::new(Double(Held { inner, gate: self.clone() }));
    }

    /// Waits until another change is held back.
    pub(crate) async fn another_begun(&self) {
        tokio::time::timeout(DEADLINE, self.begun.acquire()).await.unwrap().unwrap().forget();
    }

    /// Lets that many changes go on.
    pub(crate) fn let_go(&self, changes: usize) {
        self.go_on.add_permits(changes);
    }
}

#[async_trait]
impl DeviceDispensesDouble for Held {
    fn inner(&self) -> &dyn DeviceDispenses {
        &*self.inner
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        self.gate.begun.add_permits(1);
        self.gate.go_on.acquire().await.unwrap().forget();
        self.inner.commit(change).await
    }
}

on_every_store! {
    async fn c01_unknown_path_and_wrong_verb(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let update = UpdateFixture::load(&app).await;
        for path in ["/", "/api", "/api/nothing?with=query", "/api/admin", "/..%2f..%2fetc"] {
            app.request(Method::GET, path).send().await.assert_not_found();
        }
        for (path, pattern) in [
            (fixture.path(), "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop"),
            (update.path(), "/api/admin/contract_divisions/{id}"),
        ] {
            let taken = esoz_http::served().into_iter().filter(|(_, served)| served == pattern);
            let allow: Vec<String> = taken.map(|(method, _)| method).collect();
            let allow = allow.join(", ").replace("GET", "GET, HEAD");
            let all = [Method::GET, Method::PUT, Method::PATCH, Method::POST, Method::DELETE, Method::OPTIONS];
            for method in all.into_iter().filter(|method| !allow.contains(method.as_str())) {
                let answer = app.request(method, &path).send().await;
                let message = format!("Method is not allowed here. Allowed: {allow}.");
                answer.assert_error(405, "method_not_allowed", &message);
                assert_eq!(answer.headers["allow"], allow);
            }
        }
    }

    async fn c07_head_is_get_without_the_body(kind) {
        let app = TestApp::new(kind).await;
        for (_, path) in esoz_http::served().into_iter().filter(|(method, _)| method == "GET") {
            // By a bare client: a page is no JSON, and no `HEAD` is described.
            let (client, url) = (reqwest::Client::new(), format!("{}{path}", app.base()));
            let get = client.get(&url).send().await.unwrap();
            let head = client.head(&url).send().await.unwrap();
            assert_eq!(head.status(), get.status(), "{path}");
            for name in ["content-type", "content-length", "cache-control", "etag", "vary"] {
                assert_eq!(head.headers().get(name), get.headers().get(name), "{path}: {name}");
            }
            assert!(!get.bytes().await.unwrap().is_empty(), "{path}");
            assert!(head.bytes().await.unwrap().is_empty(), "{path}");
        }
    }

    async fn c02_request_id(kind) {
        let app = TestApp::new(kind).await;
        let ask = async |id: &str| app.patch("/nothing").header("x-request-id", id).send().await;
        for good in ["abcdefghij-0123456789", &"x".repeat(200)] {
            assert_eq!(ask(good).await.request_id(), good);
        }
        for bad in ["too-short", &"x".repeat(201), "twenty characters and spaces", "tab\tin-a-request-id-of-it"] {
            let answer = ask(bad).await;
            assert_ne!(answer.request_id(), bad);
        }
        assert_ne!(app.patch("/").send().await.request_id(), app.patch("/").send().await.request_id());
    }

    async fn a_refused_caller_is_told_what_to_present(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let nothing = app.patch(&fixture.path()).send().await;
        assert_eq!(nothing.challenge(), "Bearer realm=\"esoz\"");
        let unknown = app.patch(&fixture.path()).token(&esoz_auth::Secret::new("unknown")).send().await;
        assert_eq!(unknown.challenge(), "Bearer realm=\"esoz\", error=\"invalid_token\"");
        let token = fixture.issue(&app, |token| token.scope = esoz_auth::Scope::parse("a:b")).await;
        let forbidden = app.patch(&fixture.path()).token(&token).send().await;
        let challenge = "Bearer realm=\"esoz\", error=\"insufficient_scope\", scope=\"device_dispense:stop\"";
        assert_eq!(forbidden.challenge(), challenge);
    }

    async fn an_idempotency_key_is_echoed(kind) {
        let app = TestApp::new(kind).await;
        let answer = app.patch("/nothing").header("x-idempotency-key", "key-of-a-client").send().await;
        assert_eq!(answer.body["meta"]["idempotency_key"], "key-of-a-client");
        let answer = app.patch("/nothing").header("x-idempotency-key", "no key").send().await;
        assert_eq!(answer.body["meta"].get("idempotency_key"), None);
    }

    async fn headers_over_the_limit(kind) {
        let app = Setup::new(kind).variable("ESOZ_HTTP__HEADERS_MAX_BYTES", "2000").start().await;
        let answer = app.patch("/nothing").header("x-large", &"x".repeat(2_000)).send().await;
        answer.assert_error(431, "request_too_large", "Request headers are too large.");
    }

    async fn more_headers_than_the_limit(kind) {
        let app = Setup::new(kind).variable("ESOZ_HTTP__HEADERS_MAX_COUNT", "16").start().await;
        let ask = async |count: usize| {
            let request = (0..count).fold(app.patch("/nothing"), |request, n| request.header(&format!("x-{n}"), "1"));
            request.send().await
        };
        ask(20).await.assert_error(431, "request_too_large", "Request has too many headers: at most 16 are read.");
        ask(8).await.assert_not_found();
    }

    async fn a_header_that_may_be_given_once_is_refused_when_it_is_repeated(kind) {
        let app = TestApp::new(kind).await;
        let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let bearer = format!("Bearer {}", stop.token.expose());
        let refused = [
            ("Authorization", stop.request(&app).header("authorization", &bearer)),
            ("Authorization", update.request(&app).header("authorization", "Bearer another").json(&update.change())),
            ("api-key", update.request(&app).header("api-key", update.api_key.expose()).json(&update.change())),
            ("Content-Type", update.request(&app).header("content-type", "text/plain").header("content-type", "application/json")),
        ];
        for (name, request) in refused {
            let answer = request.send().await;
            let message = format!("Header {name} is given more than once.");
            assert_eq!((answer.status.as_u16(), &answer.body["error"]["message"]), (400, &message.into()), "{name}");
            assert_eq!(answer.body["error"]["type"], "request_malformed");
            assert_eq!(answer.body["error"]["invalid"][0]["entry"], name);
        }
        stop.assert_untouched(&app, &stop.dispense).await;
        update.assert_untouched(&app).await;
    }

    async fn a_compressed_body_is_not_supported(kind) {
        let app = TestApp::new(kind).await;
        let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let message = "Content-Encoding is not supported: send the body uncompressed.";
        let plain = update.change().to_string();
        for encoding in ["gzip", "br", "identity, gzip"] {
            let ask = update.request(&app).header("content-type", "application/json").header("content-encoding", encoding);
            ask.body(plain.clone()).send().await.assert_error(415, "content_type_invalid", message);
            let ask = stop.request(&app).header("content-encoding", encoding);
            ask.body("{}").send().await.assert_error(415, "content_type_invalid", message);
        }
        let ask = stop.request(&app).header("content-encoding", "identity").body("{}");
        assert_eq!(ask.send().await.status, 200);
    }

    async fn c03_panic(kind) {
        let app = Setup::new(kind).replace(|parts| parts.stores.legal_entities = Arc::new(Panicking)).start().await;
        let fixture = StopFixture::load(&app).await;
        for _ in 0..5 {
            fixture.stop(&app).await.assert_internal();
        }
        // The server goes on.
        let update = UpdateFixture::load(&app).await;
        assert_eq!(update.update(&app).await.status, 200);
        fixture.assert_untouched(&app, &fixture.dispense).await;
    }

    async fn c04_half_a_request(kind) {
        let setup = Setup::new(kind).variable("ESOZ_HTTP__HEAD_TIMEOUT_MS", "300");
        let app = setup.variable("ESOZ_HTTP__BODY_TIMEOUT_MS", "300").start().await;
        let fixture = StopFixture::load(&app).await;
        let token = fixture.token.expose();
        let path = fixture.path();
        let head = format!("PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n");
        let half_a_head = connect(&app, &head);
        let half_a_body = connect(&app, &format!("{head}Content-Length: 2\r\n\r\n{{"));
        assert_eq!(fixture.stop(&app).await.status, 200, "others are not affected");
        let body_answer = closed(half_a_body).await.unwrap();
        assert!(body_answer.starts_with("HTTP/1.1 408") && body_answer.contains("\"request_timeout\""), "{body_answer}");
        let head_answer = closed(half_a_head).await.unwrap();
        assert!(head_answer.is_empty() || head_answer.starts_with("HTTP/1.1 408"), "{head_answer}");
    }

    async fn c04_half_a_request_after_a_whole_one(kind) {
        let gate = Gate::new();
        let held = gate.clone();
        let setup = Setup::new(kind).replace(move |parts| held.hold(parts));
        // Not shorter: the framework looks at the time every half a second.
        let setup = setup.variable("ESOZ_HTTP__HEAD_TIMEOUT_MS", "1000").variable("ESOZ_HTTP__BODY_TIMEOUT_MS", "1000");
        let app = setup.variable("ESOZ_HTTP__KEEP_ALIVE_MS", "1000").start().await;
        let fixture = StopFixture::load(&app).await;
        // This one takes long to be answered, which is none of its client's doing.
        let request = tokio::spawn(fixture.request(&app).send());
        gate.another_begun().await;

        for _ in 0..2 {
            let half = tokio::task::spawn_blocking({
                let mut stream = connect(&app, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
                move || {
                    let mut answer = Vec::new();
                    while !answer.ends_with(b"}}") {
                        let mut some = [0_u8; 1_024];
                        let read = stream.read(&mut some).unwrap();
                        assert!(read > 0, "closed after {}", String::from_utf8_lossy(&answer));
                        answer.extend_from_slice(&some[..read]);
                    }
                    stream.write_all(b"G").unwrap();
                    stream
                }
            });
            assert_eq!(closed(half.await.unwrap()).await.unwrap(), "");
        }
        gate.let_go(1);
        assert_eq!(request.await.unwrap().status, 200);
    }

    async fn c05_shutdown_during_a_request(kind) {
        let gate = Gate::new();
        let held = gate.clone();
        let app = Setup::new(kind).replace(move |parts| held.hold(parts)).start().await;
        let fixture = StopFixture::load(&app).await;
        let expected = fixture.stopped(&fixture.dispense, crate::NOW_MILLIS);
        let request = tokio::spawn(fixture.request(&app).send());
        gate.another_begun().await;

        let address = app.base().trim_start_matches("http://").to_owned();
        let (stores, mut stopping) = app.begin_to_stop();
        esoz_testkit::wait::wait_for("a refused connection", DEADLINE, async || {
            TcpStream::connect(&address).is_err().then_some(())
        })
        .await;
        assert!(!stopping.is_finished(), "a request is still in flight");
        gate.let_go(1);
        request.await.unwrap().assert_data(&expected);
        (&mut stopping).await.unwrap().unwrap();
        drop(stores);
    }
}

/// What the server sends until it closes the connection, which it must.
pub(crate) fn closed(mut stream: TcpStream) -> tokio::task::JoinHandle<String> {
    tokio::task::spawn_blocking(move || {
        let mut received = String::new();
        let started = Instant::now();
        // However it is closed, it is closed.
        let _ = stream.read_to_string(&mut received);
        assert!(started.elapsed() < DEADLINE, "the connection was left open");
        received
    })
}

/// Sends that on a connection of its own.
pub(crate) fn connect(app: &TestApp, send: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.base().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(DEADLINE + Duration::from_secs(1))).unwrap();
    stream.write_all(send.as_bytes()).unwrap();
    stream
}
