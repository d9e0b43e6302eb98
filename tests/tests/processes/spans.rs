//! What a whole process tells a collector of spans, and that nobody waits for it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use esoz_kernel::{Clock as _, system::SystemClock};
use esoz_tests::collector::{Collector, Span};
use esoz_tests::process::Process;
use esoz_tests::{Kind, Setup, StopFixture, TestStores, UpdateFixture, on_every_store};
use reqwest::Method;

use crate::{environment, with};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Numbers of the protocol.
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;

/// Long for a stop in which nothing hangs, and shorter than a delivery of spans that nobody answers.
const SOON: Duration = Duration::from_secs(8);

fn traced(stores: &TestStores, endpoint: &str) -> Vec<(String, String)> {
    with(environment(stores), "ESOZ_TRACING__ENDPOINT", endpoint)
}

fn assert_inside(inner: &Span, outer: &Span) {
    assert_eq!(inner.parent, outer.id, "{inner:#?} is not inside {outer:#?}");
}

on_every_store! {
    async fn a_request_is_a_trace_from_its_caller_to_the_store_and_to_the_event(kind) {
        let collector = Collector::start();
        let stores = TestStores::fresh(kind).await;
        let (mut server, base) = Process::serve(&traced(&stores, &collector.endpoint()));
        let app = Setup::new(kind).start_on(stores).await;
        app.clock.set(SystemClock.now());
        let fixture = StopFixture::load(&app).await;
        let update = UpdateFixture::load(&app).await;

        // First one that its caller does not keep: no span of it may be there when those of the next have come.
        let dropped = "1".repeat(32);
        let put = app.request_at(&base, Method::PUT, &update.path()).token(&update.token).api_key(&update.api_key);
        let put = put.header("traceparent", &format!("00-{dropped}-{CALLER}-00")).json(&update.change());
        assert_eq!(put.send().await.status, 200);
        let ask = || app.request_at(&base, Method::PATCH, &fixture.path()).token(&fixture.token);
        let ask = || ask().header("traceparent", &format!("00-{TRACE}-{CALLER}-01")).header("tracestate", "vendor=7");
        assert_eq!(ask().send().await.status, 200);

        let request = collector.wait_for(TRACE, "PATCH /api/patients/{patient_id}/device_dispenses/{id}/actions/stop").await;
        let use_case = collector.wait_for(TRACE, "stop_device_dispense").await;
        let change = collector.wait_for(TRACE, "store.device_dispenses.commit").await;
        let token = collector.wait_for(TRACE, "store.access_tokens.find").await;
        assert_eq!(request.parent, CALLER);
        assert_inside(&use_case, &request);
        assert_inside(&change, &use_case);
        assert_inside(&token, &request);
        assert_eq!((request.kind, use_case.kind, change.kind), (SERVER, INTERNAL, INTERNAL));
        for (name, expected) in [
            ("http.request.method", "PATCH"),
            ("http.route", "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop"),
            ("http.response.status_code", "200"),
        ] {
            assert_eq!(request.attributes.get(name).map(String::as_str), Some(expected), "{request:#?}");
        }
        assert_eq!(use_case.attributes["outcome"], "done");
        assert_eq!(collector.resource()["service.name"], "esoz");

        let events = app.events_of(&fixture.dispense).await;
        assert_eq!(events[0].traceparent, Some(format!("00-{TRACE}-{}-01", use_case.id)));

        // A refusal is no error.
        assert_eq!(ask().send().await.status, 409);
        server.terminate();
        assert!(server.wait().success());
        let spans = collector.spans();
        let refused = |span: &&Span| span.attributes.get("http.response.status_code").is_some_and(|code| code == "409");
        assert!(!spans.iter().find(refused).unwrap().is_error);
        // What the relay does belongs to no request, and what a caller drops is dropped.
        let others: Vec<_> = spans.iter().filter(|span| span.trace_id != TRACE).collect();
        assert!(others.is_empty(), "{others:#?}");
        let patient = fixture.patient.uuid().to_string();
        for secret in [fixture.token.expose(), &patient, app.pseudonym_of(fixture.patient).expose()] {
            assert!(!collector.text().contains(secret));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_an_error_in_every_span_above_it() {
    let collector = Collector::start();
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = with(traced(&stores, &collector.endpoint()), "ESOZ_SQLITE__BUSY_TIMEOUT_MS", "300");
    let (server, base) = Process::serve(&variables);
    let app = Setup::new(Kind::Sqlite).start_on(stores).await;
    app.clock.set(SystemClock.now());
    let fixture = StopFixture::load(&app).await;
    let lock = app.test_stores.file().unwrap().lock();
    let ask = app.request_at(&base, Method::PATCH, &fixture.path()).token(&fixture.token);
    let answer = ask.header("traceparent", &format!("00-{TRACE}-{CALLER}-01")).send().await;
    drop(lock);
    assert_eq!(answer.status, 503);
    let request = collector
        .wait_for(TRACE, "PATCH /api/patients/{patient_id}/device_dispenses/{id}/actions/stop")
        .await;
    assert!(request.is_error && request.attributes["error.type"] == "503", "{request:#?}");
    let use_case = collector.wait_for(TRACE, "stop_device_dispense").await;
    assert!(use_case.is_error && use_case.attributes["outcome"] == "unavailable", "{use_case:#?}");
    // Its one line has the trace, and why.
    let line = server.wait_for_log("\"status\":503");
    assert!(line.contains(&format!("\"trace_id\":\"{TRACE}\"")) && line.contains("\"error\":\""), "{line}");
    assert_eq!(server.stderr().iter().filter(|line| line.contains("\"ERROR\"")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_variables_say_where_spans_go_and_by_which_headers_and_ours_win() {
    let collector = Collector::start();
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let endpoint = collector.endpoint();
    let base = endpoint.strip_suffix("/v1/traces").unwrap();
    let mut variables = environment(&stores);
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", base),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hidden-from-logs,x-team=registry"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=other"),
        ("OTEL_SERVICE_NAME", "other"),
        ("ESOZ_TRACING__SERVICE_NAME", "ours"),
    ] {
        variables = with(variables, name, value);
    }
    let (mut server, base) = Process::serve(&variables);
    let app = Setup::new(Kind::Sqlite).start_on(stores).await;
    let ask = app.request_at(&base, Method::GET, "/api/events");
    ask.header("traceparent", &format!("00-{TRACE}-{CALLER}-01")).send().await;
    collector.wait_for(TRACE, "GET /api/events").await;
    let resource = collector.resource();
    assert_eq!((&*resource["service.name"], &*resource["deployment.environment.name"]), ("ours", "test"));
    let head = collector.head();
    for header in ["authorization: bearer hidden-from-logs\r\n", "x-team: registry\r\n"] {
        assert!(head.contains(header), "{head}");
    }
    server.terminate();
    assert!(server.wait().success());
    assert!(!server.stderr().iter().any(|line| line.contains("hidden-from-logs")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_stalls_delays_nothing() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [format!("http://{free}/v1/traces"), Collector::stalling().endpoint()] {
        let stores = TestStores::fresh(Kind::Sqlite).await;
        let variables = with(traced(&stores, &endpoint), "ESOZ_TRACING__TIMEOUT_MS", "200");
        let (mut server, base) = Process::serve(&variables);
        let app = Setup::new(Kind::Sqlite).start_on(stores).await;
        app.clock.set(SystemClock.now());
        let fixture = StopFixture::load(&app).await;
        let ask = || app.request_at(&base, Method::PATCH, &fixture.path()).token(&fixture.token);
        assert_eq!(ask().send().await.status, 200);
        let told = "the collector takes no spans";
        server.wait_for_log(told);
        assert_eq!(ask().send().await.status, 409);
        let begun = Instant::now();
        server.terminate();
        assert!(server.wait().success());
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        let log = server.stderr();
        assert_eq!(log.iter().filter(|line| line.contains(told)).count(), 1, "{log:#?}");
        assert!(log.iter().any(|line| line.contains("spans were given up")), "{log:#?}");
    }
}
