//! Access tokens that somebody else issued, as the whole program checks them. (Each way in detail: the tests of their crate.)

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use esoz_auth::Secret;
use esoz_tests::process::{Process, esoz};
use esoz_tests::{Setup, StopFixture, TestApp, TestStores, on_every_store};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{environment, with};

/// Who issued the tokens, answering in the way of ESOZ: one token is good, one is answered with nonsense, all others are unknown.
fn issuer(good: String, verified: Value) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, &good, &verified);
        }
    });
    address
}

fn answer(mut stream: TcpStream, good: &str, verified: &Value) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    // The head ends with an empty line.
    lines.find(String::is_empty);
    let (status, body) = if request == format!("GET /admin/tokens/{good}/verify HTTP/1.1") {
        ("200 OK", verified.to_string())
    } else if request.contains("/admin/tokens/nonsense/") {
        ("200 OK", "<html>".to_owned())
    } else {
        ("404 Not Found", "{}".to_owned())
    };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

async fn ask(app: &TestApp, base: &str, fixture: &StopFixture, token: &str) -> esoz_tests::Answer {
    app.request_at(base, Method::PATCH, &fixture.path()).token(&Secret::new(token)).send().await
}

on_every_store! {
    async fn tokens_of_another_issuer_are_asked_for_there(kind) {
        let stores = TestStores::fresh(kind).await;
        let plain = environment(&stores);
        esoz(&plain, &["migrate"]).assert_success();
        let app = Setup::new(kind).start_on(stores).await;
        let fixture = StopFixture::load(&app).await;
        let verified = json!({"data": {
            "user_id": fixture.stored_token.user_id.to_string(),
            "expires_at": 4_000_000_000_u64,
            "details": {"client_id": fixture.stored_token.client_id.to_string(), "scope": "device_dispense:stop", "broker_scope": null},
        }});
        let address = issuer("a-good-token".to_owned(), verified);
        let variables = with(with(plain, "ESOZ_AUTH__TOKENS", "esoz"), "ESOZ_AUTH__URL", &format!("http://{address}"));
        let (server, base) = Process::serve(&variables);

        // Our own tokens are nobody's here.
        ask(&app, &base, &fixture, fixture.token.expose()).await.assert_invalid_token();
        ask(&app, &base, &fixture, "unknown").await.assert_invalid_token();
        ask(&app, &base, &fixture, "nonsense").await.assert_unavailable();
        assert_eq!(ask(&app, &base, &fixture, "a-good-token").await.status, 200);
        let arguments = ["token", "issue", "--user", &fixture.patient.uuid().to_string(), "--client", &fixture.patient.uuid().to_string(), "--scope", "a:b"];
        esoz(&variables, &arguments).assert_failure("tokens are issued and revoked there, not here");
        assert!(!server.stderr().join("\n").contains("a-good-token"));
    }
}
