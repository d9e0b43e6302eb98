//! C03 to C05: a panic, half a request, a shutdown during a request.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use esoz_tests::{DEADLINE, Setup, StopFixture, UpdateFixture, on_every_store};

use crate::doubles::{Gate, Panicking};
use crate::tcp::{closed, connect};

on_every_store! {
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
