//! Requests whose framing is malformed: where a body ends cannot be known, so the connection is closed, and nothing is done.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use esoz_testkit::builders::fresh;
use esoz_testkit::wait::wait_for;
use esoz_tests::{DEADLINE, Kind, StopFixture, TestApp, on_every_store};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::lines::lines_of;
use crate::tcp::{closed, connect};

/// Bodies in chunked encoding that break it (RFC 9112, section 7.1).
const MALFORMED: [&str; 17] = [
    // The size of a chunk is no hexadecimal number.
    "zz\r\n",
    "-1\r\n",
    "+2\r\n{}\r\n0\r\n\r\n",
    "0x2\r\n{}\r\n0\r\n\r\n",
    " 2\r\n{}\r\n0\r\n\r\n",
    "2 2\r\n{}\r\n0\r\n\r\n",
    "\r\n{}\r\n0\r\n\r\n",
    // It is more than 64 bits.
    "10000000000000002\r\n{}\r\n0\r\n\r\n",
    // Its line does not end in CRLF, or has an extension that is no text.
    "2\n{}\r\n0\r\n\r\n",
    "2\r{}\r\n0\r\n\r\n",
    "2;a\u{1}\r\n{}\r\n0\r\n\r\n",
    // A chunk does not end where its size says.
    "2\r\n{}0\r\n\r\n",
    "2\r\n{}\r0\r\n\r\n",
    "1\r\n{}\r\n0\r\n\r\n",
    // So it is with a chunk behind a good one, a trailer, and the end.
    "2\r\n{}\r\nzz\r\n",
    "2\r\n{}\r\n0\r\nTrailer: a\rb\r\n\r\n",
    "2\r\n{}\r\n0\r\n\r0",
];

/// A chunked request under that id, without its body.
fn head(start: &str, id: &str, more: &str) -> String {
    format!("{start} HTTP/1.1\r\nHost: x\r\nX-Request-Id: {id}\r\nTransfer-Encoding: chunked\r\n{more}\r\n")
}

fn bearer(fixture: &StopFixture) -> String {
    format!("Authorization: Bearer {}\r\n", fixture.token.expose())
}

async fn assert_refused(stream: TcpStream, id: &str, what: &str) {
    let answer = closed(stream).await.unwrap();
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{what}: no answer: {answer:?}"));
    assert!(head.starts_with("HTTP/1.1 400 ") && head.contains("connection: close"), "{what}: {head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let message = "Malformed request. Probably, you have sent corrupted JSON.";
    assert_eq!(body["error"], json!({"type": "request_malformed", "message": message}), "{what}");
    assert_eq!((&body["meta"]["code"], &body["meta"]["request_id"]), (&json!(400), &json!(id)), "{what}");
    let lines = lines_of(id);
    let [line] = lines.as_slice() else { panic!("{what}: {lines:#?}") };
    assert_eq!((&line["level"], &line["status"]), (&json!("INFO"), &json!(400)), "{what}");
}

on_every_store! {
    async fn a_body_in_malformed_chunks_is_refused(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let start = format!("PATCH {}", fixture.path());
        for body in MALFORMED {
            // It comes together with the head.
            let id = fresh().to_string();
            let stream = connect(&app, &(head(&start, &id, &bearer(&fixture)) + body));
            assert_refused(stream, &id, body).await;
            // It comes when the server has begun to work on the request.
            let id = fresh().to_string();
            let more = bearer(&fixture) + "Expect: 100-continue\r\n";
            let mut stream = connect(&app, &head(&start, &id, &more));
            let mut interim = [0; 25];
            stream.read_exact(&mut interim).unwrap();
            assert!(interim.starts_with(b"HTTP/1.1 100 Continue"), "{}", String::from_utf8_lossy(&interim));
            stream.write_all(body.as_bytes()).unwrap();
            assert_refused(stream, &id, body).await;
        }
        fixture.assert_untouched(&app, &fixture.dispense).await;
        assert_eq!(fixture.stop(&app).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_chunks_are_refused_whoever_sends_them_and_wherever() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    for start in
        [&format!("PATCH {}", fixture.path()), "PUT /nothing", "GET /openapi.json", "GET /health/live"]
    {
        let id = fresh().to_string();
        assert_refused(connect(&app, &(head(start, &id, "") + "zz\r\n")), &id, start).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_that_its_client_ends_early_is_refused() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    let start = format!("PATCH {}", fixture.path());
    for body in ["", "2", "2\r\n{", "2\r\n{}\r\n", "2\r\n{}\r\n0\r\n"] {
        let id = fresh().to_string();
        let stream = connect(&app, &(head(&start, &id, &bearer(&fixture)) + body));
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_refused(stream, &id, body).await;
    }
    fixture.assert_untouched(&app, &fixture.dispense).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_well_formed_chunks_is_read_and_its_connection_goes_on() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    let start = format!("PATCH {}", fixture.path());
    let id = fresh().to_string();
    let chunks = "1;name=\"value\"\r\n{\r\n1 \r\n}\r\n0\r\nTrailer: any\r\n\r\n";
    let again = head(&start, &id, &(bearer(&fixture) + "Connection: close\r\n")) + "0\r\n\r\n";
    let mut stream = connect(&app, &(head(&start, &id, &bearer(&fixture)) + chunks));
    let mut first = Vec::new();
    while !first.ends_with(b"}}") {
        let mut some = [0; 1_024];
        let read = stream.read(&mut some).unwrap();
        assert_ne!(read, 0, "closed after {}", String::from_utf8_lossy(&first));
        first.extend_from_slice(&some[..read]);
    }
    assert!(first.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&first));
    stream.write_all(again.as_bytes()).unwrap();
    let second = closed(stream).await.unwrap();
    assert!(second.starts_with("HTTP/1.1 409 "), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_over_the_limit_is_refused_as_such() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    let start = format!("PATCH {}", fixture.path());
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, " ".repeat(100_000));
    let request =
        head(&start, &fresh().to_string(), &bearer(&fixture)) + chunk.as_str() + chunk.as_str() + "0\r\n\r\n";
    let answer = closed(connect(&app, &request)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"request_too_large\""), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_amid_a_chunked_body_is_no_malformed_request() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    let id = fresh().to_string();
    let more = bearer(&fixture) + "Expect: 100-continue\r\n";
    let mut stream = tokio::net::TcpStream::connect(app.base().trim_start_matches("http://")).await.unwrap();
    let half = head(&format!("PATCH {}", fixture.path()), &id, &more) + "2\r\n{";
    stream.write_all(half.as_bytes()).await.unwrap();
    // All of it has been read once the server asks for the rest.
    stream.read_exact(&mut [0; 25]).await.unwrap();
    // Not just the end of what it sends: it is gone.
    stream.set_zero_linger().unwrap();
    drop(stream);
    let line = wait_for("the line of the request", DEADLINE, async || lines_of(&id).pop()).await;
    assert_eq!((&line["level"], &line["status"]), (&json!("INFO"), &json!(499)));
    fixture.assert_untouched(&app, &fixture.dispense).await;
}

/// Where the length of a body is ambiguous by the head alone, there is no request yet: the framework answers, without an envelope.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_with_an_ambiguous_length_is_refused_by_the_framework() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    for lengths in [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: 2x\r\n",
    ] {
        let id = fresh().to_string();
        let (path, bearer) = (fixture.path(), bearer(&fixture));
        let head = format!("PATCH {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: {id}\r\n{bearer}{lengths}\r\n");
        let answer = closed(connect(&app, &(head + "2\r\n{}\r\n0\r\n\r\n"))).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("content-length: 0\r\n"),
            "{lengths}: {answer}"
        );
        assert_eq!(lines_of(&id), Vec::<Value>::new(), "{lengths}");
    }
    fixture.assert_untouched(&app, &fixture.dispense).await;
    assert_eq!(fixture.stop(&app).await.status, 200);
}

/// A malformed body ends its connection, after the answers to the requests that were sent on it before: a request with a body waits for them.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_chunks_end_a_pipeline_after_the_answers_before_them() {
    let app = TestApp::new(Kind::Sqlite).await;
    let [first, second] = [fresh().to_string(), fresh().to_string()];
    let pipeline =
        head("PUT /nothing", &first, "") + "0\r\n\r\n" + &head("PUT /nothing", &second, "") + "zz\r\n";
    let answers = closed(connect(&app, &pipeline)).await.unwrap();
    let answers: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).collect();
    let [found, refused] = answers.as_slice() else { panic!("{answers:#?}") };
    assert!(found.starts_with("404 ") && found.contains(&first), "{found}");
    assert!(refused.starts_with("400 ") && refused.contains(&second), "{refused}");
    assert!(!found.contains("connection: close") && refused.contains("connection: close"), "{answers:#?}");
    for (id, status) in [(first, 404), (second, 400)] {
        let line = wait_for("the line of the request", DEADLINE, async || lines_of(&id).pop()).await;
        assert_eq!(line["status"], status);
    }
    assert_eq!(app.patch("/nothing").send().await.status, 404);
}

/// A request that asks for another protocol is answered in HTTP, and its connection is closed.
#[tokio::test(flavor = "multi_thread")]
async fn no_connection_is_upgraded() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    let request = |protocol: &str, body: &str| {
        let (path, bearer) = (fixture.path(), bearer(&fixture));
        let upgrade = format!("Connection: Upgrade\r\nUpgrade: {protocol}\r\n");
        format!(
            "PATCH {path} HTTP/1.1\r\nHost: x\r\n{bearer}{upgrade}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for body in ["", "{}"] {
        let answer = closed(connect(&app, &request("websocket", body))).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("WebSockets are not served"),
            "{answer}"
        );
        assert!(answer.contains("connection: close"), "{answer}");
    }
    fixture.assert_untouched(&app, &fixture.dispense).await;
    for (protocol, status) in [("h2c", 200), ("foo", 409)] {
        let answer = closed(connect(&app, &request(protocol, "{}"))).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
}
