//! The request inspector of `esoz demo`, and that no other server has it unless it is configured.

use std::time::Instant;

use esoz_testkit::wait::wait_for;
use esoz_tests::demo::{Demo, between};
use esoz_tests::process::Process;
use esoz_tests::{DEADLINE, PATIENT_KEY, Scrape};
use reqwest::Response;
use tokio::task::JoinSet;
use tokio::time::timeout;

const FIRST: &str = "the-first-request-of-the-test";
const SECOND: &str = "the-second-request-of-the-test";

async fn get(url: &str) -> Response {
    reqwest::get(url).await.unwrap()
}

async fn page(base: &str) -> String {
    let answer = get(&format!("{base}/")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    answer.text().await.unwrap()
}

/// Reads a stream until that comes.
async fn read_until(stream: &mut Response, wanted: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    while !wanted(&text) {
        let chunk = timeout(DEADLINE, stream.chunk()).await.unwrap().unwrap();
        text += str::from_utf8(&chunk.unwrap()).unwrap();
    }
    text
}

/// The row of the request with that id.
fn row<'a>(page: &'a str, request_id: &str) -> &'a str {
    page.split("<tr").find(|row| row.contains(request_id)).unwrap()
}

#[tokio::test]
async fn the_page_tells_what_was_done_what_was_refused_and_why() {
    let demo = Demo::start(&[]);
    let first = page(&demo.base).await;
    assert!(first.contains("No request yet") && first.contains("No event yet"), "{first}");
    assert_eq!([demo.stop(FIRST).await, demo.stop(SECOND).await], [200, 409]);
    let hostile = get(&format!("{}/api/patients/%3Cscript%3E", demo.base)).await;
    assert_eq!(hostile.status(), 404);

    let stop = &demo.requests[0];
    let record = between(stop, "/device_dispenses/", "/");
    let shown = wait_for("the event", DEADLINE, async || {
        let page = page(&demo.base).await;
        if page.contains("status → <code>stopped</code>") { Ok(page) } else { Err(page) }
    })
    .await;
    let (log, samples) = shown.split_once("<aside").unwrap();
    let done = row(log, FIRST);
    assert!(done.contains("<b>200</b>") && done.contains(record), "{done}");
    let refused = row(log, SECOND);
    for part in [
        "<b>409</b>",
        r#"<span class="method">PATCH</span>"#,
        "{patient_id}",
        record,
        "Device dispense in status stopped cannot be stopped",
    ] {
        assert!(refused.contains(part), "{part} is not in {refused}");
    }
    // A path that is not found is shown whole, as the log of a demo has it.
    assert!(log.contains("/<wbr>api/<wbr>patients/<wbr>&lt;script&gt;</code>"), "{log}");
    assert!(log.contains("reason <code>no_such_path</code>"), "{log}");
    let (token, patient) = (between(stop, "Bearer ", "'"), between(stop, "/patients/", "/"));
    for secret in [token, patient] {
        assert!(!log.contains(secret), "{secret} is in {log}");
        assert!(samples.contains(secret), "{secret} is not in {samples}");
    }
}

#[tokio::test]
async fn a_listener_is_no_slow_client_however_long_it_listens() {
    // A connection without a request is closed after a second.
    let limits = ["ESOZ_HTTP__KEEP_ALIVE_MS", "ESOZ_HTTP__HEAD_TIMEOUT_MS", "ESOZ_HTTP__BODY_TIMEOUT_MS"];
    let demo = Demo::start(&limits.map(|name| (name, "500")));
    let mut stream = get(&format!("{}/inspector/stream", demo.base)).await;
    read_until(&mut stream, |text| text.matches(": keep-alive\n\n").count() == 4).await;
}

#[tokio::test]
async fn a_listener_is_told_at_once_and_does_not_delay_the_end() {
    let mut demo = Demo::start(&[]);
    let mut stream = get(&format!("{}/inspector/stream?after=0", demo.base)).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(demo.stop(FIRST).await, 200);
    let told = read_until(&mut stream, |text| text.contains(FIRST) && text.contains("stopped</code>")).await;
    assert!(
        told.contains("event: request\ndata: <tr") && told.contains("event: events\ndata: <tr"),
        "{told}"
    );

    let asked = Instant::now();
    demo.process.terminate();
    while timeout(DEADLINE, stream.chunk()).await.unwrap().unwrap().is_some() {}
    assert_eq!(demo.process.wait().code(), Some(0));
    // Else the end waits for requests in flight, six seconds.
    assert!(asked.elapsed().as_secs() < 5, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn listeners_are_bounded_and_a_place_is_free_again_when_one_leaves() {
    let demo = Demo::start(&[]);
    let url = format!("{}/inspector/stream", demo.base);
    let mut streams = Vec::new();
    let refused = loop {
        let answer = get(&url).await;
        if answer.status() != 200 {
            break answer;
        }
        streams.push(answer);
    };
    assert_eq!((streams.len(), refused.status().as_u16()), (16, 503));
    let text = refused.text().await.unwrap();
    assert!(text.contains("16 browsers follow the request inspector already. Close one"), "{text}");
    drop(streams.pop());
    wait_for("a place", DEADLINE, async || {
        let status = get(&url).await.status();
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn however_many_listen_and_send_requests_one_reader_reads_the_event_log() {
    const REQUESTS: usize = 50;
    let demo = Demo::start(&[("ESOZ_METRICS__BIND", "127.0.0.1:0")]);
    let began = Instant::now();
    let mut listeners = JoinSet::new();
    for _ in 0..16 {
        let mut stream = get(&format!("{}/inspector/stream", demo.base)).await;
        listeners.spawn(async move {
            read_until(&mut stream, |text| text.matches("event: request").count() == REQUESTS).await
        });
    }
    for _ in 0..REQUESTS {
        assert_eq!(get(&format!("{}/nothing", demo.base)).await.status(), 404);
        page(&demo.base).await;
    }
    listeners.join_all().await;
    let scrape = Scrape::read(&demo.process.scrape().await);
    let labels = [("port", "event_log"), ("operation", "list")];
    let reads = scrape.sum("esoz_store_operation_duration_seconds_count", &labels).unwrap();
    // The first one, and one for each time that must be between two.
    let most = began.elapsed().as_secs_f64() / 0.4 + 1.0;
    assert!((1.0..=most).contains(&reads), "{reads} reads, {most} at most");
}

#[tokio::test]
async fn a_name_that_a_stranger_may_have_given_to_the_server_is_refused() {
    let demo = Demo::start(&[("ESOZ_HTTP__PUBLIC_URL", "https://esoz.example")]);
    let client = reqwest::Client::new();
    for path in ["/", "/inspector/page.js", "/inspector/stream", "/docs/samples.json"] {
        for (host, status) in [("evil.example", 421), ("localhost", 200), ("esoz.example", 200)] {
            let request = client.get(format!("{}{path}", demo.base)).header("host", host);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{path} of {host}");
            if status == 421 {
                let text = answer.text().await.unwrap();
                assert!(text.contains("Open it under one of these, or set http.public_url."), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn an_event_is_no_older_than_its_request() {
    let demo = Demo::start(&[]);
    assert_eq!(demo.stop(FIRST).await, 200);
    let shown = wait_for("the event", DEADLINE, async || {
        let page = page(&demo.base).await;
        if page.contains("stopped</code>") { Ok(page) } else { Err(page) }
    })
    .await;
    let (requests, events) = shown.split_once("<table id=\"events\">").unwrap();
    let [request, event] =
        [row(requests, FIRST), events].map(|text| between(text, "<time datetime=\"", "\""));
    assert!(request <= event, "the request began at {request}, the event happened at {event}");
}

#[tokio::test]
async fn another_server_has_no_inspector_unless_it_is_configured_and_then_it_warns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esoz.sqlite");
    let mut variables: Vec<(String, String)> = vec![
        ("ESOZ_SQLITE__PATH".to_owned(), path.to_str().unwrap().to_owned()),
        ("ESOZ_PATIENT__KEY".to_owned(), PATIENT_KEY.to_owned()),
    ];
    let (server, base) = Process::serve(&variables);
    for path in ["/", "/inspector/page.css", "/inspector/page.js", "/inspector/stream"] {
        assert_eq!(get(&format!("{base}{path}")).await.status(), 404, "{path}");
    }
    assert_eq!(get(&format!("{base}/docs/samples.json")).await.text().await.unwrap(), "null");
    assert!(!server.stderr().join("\n").contains("http.inspector"));
    drop(server);

    variables.push(("ESOZ_HTTP__INSPECTOR".to_owned(), "true".to_owned()));
    let (server, base) = Process::serve(&variables);
    server.wait_for_log("`http.inspector` is on");
    let shown = page(&base).await;
    assert!(shown.contains("No request yet") && !shown.contains("<aside"), "{shown}");
}
