//! C05 and the cache as a whole process shows them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use esoz_legal_entity::LegalEntityStatus;
use esoz_testkit::wait::{wait_for, wait_for_blocking};
use esoz_tests::process::{Process, esoz};
use esoz_tests::{DEADLINE, Kind, Setup, StopFixture, TestStores, on_every_store};
use reqwest::Method;

use crate::{environment, with};

on_every_store! {
    async fn c05_sigterm_lets_a_request_finish_and_exits_0(kind) {
        let stores = TestStores::fresh(kind).await;
        let (mut server, base) = Process::serve(&environment(&stores));
        let app = Setup::new(kind).start_on(stores).await;
        app.clock.set(esoz_kernel::Clock::now(&esoz_kernel::system::SystemClock));
        let fixture = StopFixture::load(&app).await;

        // A request whose body is still on its way when the signal comes.
        let address = base.trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let (path, token) = (fixture.path(), fixture.token.expose());
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The server has read the head once it asks for the rest.
        let mut interim = [0_u8; 25];
        stream.read_exact(&mut interim).unwrap();
        assert!(interim.starts_with(b"HTTP/1.1 100 Continue"), "{}", String::from_utf8_lossy(&interim));

        server.terminate();
        wait_for_blocking("a refused connection", DEADLINE, || TcpStream::connect(&address).is_err().then_some(()));
        stream.write_all(b"{}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(server.wait().code(), Some(0));
    }

    async fn a_server_that_is_about_to_stop_answers_and_sends_its_clients_elsewhere(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = with(environment(&stores), "ESOZ_HTTP__DRAIN_MS", "3000");
        let (mut server, base) = Process::serve(&variables);
        wait_for_blocking("a healthy server", DEADLINE, || {
            esoz(&variables, &["health", "--url", &base]).status.success().then_some(())
        });
        let client = reqwest::Client::new();
        let ask = async |path: &str| client.get(format!("{base}{path}")).send().await.unwrap();
        let stays = ask("/openapi.json").await;
        assert_eq!((stays.status().as_u16(), stays.headers().get("connection")), (200, None));

        server.terminate();
        server.wait_for_log("stopping");
        for (path, status) in [("/openapi.json", 200), ("/health/ready", 503), ("/health/live", 200), ("/nothing", 404)] {
            let leaves = ask(path).await;
            assert_eq!((leaves.status().as_u16(), &leaves.headers()["connection"]), (status, &"close".parse().unwrap()));
        }
        assert_eq!(server.wait().code(), Some(0));
    }

    async fn the_health_command_tells_whether_a_server_can_serve(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        let (server, base) = Process::serve(&variables);
        wait_for_blocking("a healthy server", DEADLINE, || {
            let asked = esoz(&variables, &["health", "--url", &base]);
            if asked.status.success() { Ok(()) } else { Err(asked.stderr) }
        });
        assert!(esoz(&variables, &["health", "--live", "--url", &base]).assert_success().stdout.contains("\"live\":true"));
        server.kill();
        esoz(&variables, &["health", "--url", &base]).assert_failure("asking http://");
    }

    async fn a_revocation_and_a_suspension_take_effect_within_the_cache_time(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = with(environment(&stores), "ESOZ_CACHE__TTL_MS", "300");
        let (_server, base) = Process::serve(&variables);
        let app = Setup::new(kind).start_on(stores).await;
        app.clock.set(esoz_kernel::Clock::now(&esoz_kernel::system::SystemClock));
        let fixture = StopFixture::load(&app).await;
        let token = fixture.issue(&app, |_| {}).await;
        let ask = async |token| {
            let unknown = fixture.another(&app).build();
            app.request_at(&base, Method::PATCH, &fixture.path_of(&unknown)).token(token).send().await.status.as_u16()
        };
        // Both facts are in the cache now.
        assert_eq!(ask(&token).await, 404);
        esoz(&variables, &["token", "revoke", token.expose()]).assert_success();
        let within = Duration::from_secs(5);
        wait_for("401 for the revoked token", within, async || {
            match ask(&token).await {
                401 => Ok(()),
                other => Err(other.to_string()),
            }
        })
        .await;
        assert_eq!(ask(&fixture.token).await, 404);
        let mut suspended = fixture.pharmacy.clone();
        suspended.facts.status = LegalEntityStatus::Suspended;
        app.put_legal_entity(&suspended).await;
        wait_for("409 for the suspended pharmacy", within, async || {
            match ask(&fixture.token).await {
                409 => Ok(()),
                other => Err(other.to_string()),
            }
        })
        .await;
    }
}

/// Asks on a new connection; false when there is nobody to connect to any more.
fn is_answered(address: &str) -> bool {
    // A client whose first packet is ignored comes again after a second, and is refused.
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200"), "connected, and {read:?} instead of an answer: {text:?}");
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_connected_is_answered_when_the_server_stops() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = with(environment(&stores), "ESOZ_HTTP__DRAIN_MS", "50");
    for _ in 0..5 {
        let (mut server, base) = Process::serve(&variables);
        let address = base.trim_start_matches("http://").to_owned();
        let clients: Vec<_> = (0..12)
            .map(|_| {
                let address = address.clone();
                std::thread::spawn(move || {
                    let mut answered = 0;
                    while is_answered(&address) {
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        wait_for_blocking("clients at work", DEADLINE, || is_answered(&address).then_some(()));
        server.terminate();
        let answered: u32 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(answered > 0);
        assert_eq!(server.wait().code(), Some(0));
    }
}
