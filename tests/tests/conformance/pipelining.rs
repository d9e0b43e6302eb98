//! Bodies that contain what could be the ends of heads.

use std::io::{Read as _, Write as _};

use esoz_tests::{Kind, Setup, StopFixture};

use crate::tcp::connect;

/// The size of a body of empty lines, in bytes.
const BODY_BYTES: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_of_empty_lines_arrives() {
    let setup = Setup::new(Kind::Sqlite).variable("ESOZ_HTTP__BODY_MAX_BYTES", "2097152");
    let app = setup.start().await;
    let fixture = StopFixture::load(&app).await;
    // Allowed in JSON before the object.
    let body = "\r\n".repeat(BODY_BYTES / 2) + "{}";
    let head = format!(
        "PATCH {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n",
        fixture.path(),
        fixture.token.expose()
    );
    let mut stream = connect(&app, &format!("{head}Content-Length: {}\r\n\r\n", body.len()));
    let answer = tokio::task::spawn_blocking(move || {
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
