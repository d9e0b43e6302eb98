//! Access tokens that somebody else issued, as the whole program checks them. (Each way in detail: the tests of their crate.)

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::slice;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use esoz_auth::{NewAccessToken, Secret};
use esoz_testkit::wait::wait_for;
use esoz_tests::process::{Process, esoz};
use esoz_tests::{Answer, DEADLINE, Kind, Setup, StopFixture, TestApp, TestStores, on_every_store};
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::postgres_health::until_ready_is;
use crate::{environment, with};

/// The issuer of one good token, which answers what about it at which path. Another token is answered with nonsense, all others are unknown.
fn issuer(good: &[(String, Value)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, good) = (listener.local_addr().unwrap(), good.to_vec());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, &good);
        }
    });
    address
}

fn answer(mut stream: TcpStream, good: &[(String, Value)]) {
    let mut request = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    // The head ends with an empty line.
    while !matches!(head.last().map(String::as_str), Some("\r\n" | "")) {
        let mut line = String::new();
        request.read_line(&mut line).unwrap();
        head.push(line);
    }
    let length =
        head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    // What is left unread when the connection closes would reset it.
    request.read_exact(&mut vec![0; length.unwrap_or_default()]).unwrap();
    let known = good.iter().find(|(path, _)| head[0].contains(&format!(" {path} ")));
    let (status, body) = match known {
        Some((_, body)) => ("200 OK", body.to_string()),
        None if head[0].contains("/admin/tokens/nonsense/") => ("200 OK", "<html>".to_owned()),
        None => ("404 Not Found", "{}".to_owned()),
    };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

async fn ask(app: &TestApp, base: &str, fixture: &StopFixture, token: &str) -> Answer {
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
        let address = issuer(&[("/admin/tokens/a-good-token/verify".to_owned(), verified)]);
        let variables = with(with(plain, "ESOZ_AUTH__TOKENS", "esoz"), "ESOZ_AUTH__URL", &format!("http://{address}"));
        let (server, base) = Process::serve(&variables);

        // Our own tokens are nobody's here.
        ask(&app, &base, &fixture, fixture.token.expose()).await.assert_invalid_token();
        ask(&app, &base, &fixture, "unknown").await.assert_invalid_token();
        ask(&app, &base, &fixture, "nonsense").await.assert_unavailable();
        assert_eq!(ask(&app, &base, &fixture, "a-good-token").await.status, 200);
        let arguments = ["token", "issue", "--user", &fixture.patient.uuid().to_string(), "--client", &fixture.patient.uuid().to_string(), "--scope", "a:b"];
        esoz(&variables, &arguments).assert_failure("issue, list and revoke tokens at their issuer, not here");
        assert!(!server.stderr().join("\n").contains("a-good-token"));
    }
}

const SCOPE: &str = "device_dispense:stop";
const EXPIRES_AT: u64 = 4_000_000_000;

/// A way to check tokens of another issuer: its settings, a token that is good there, and what the issuer answers at which path.
struct Mode {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// The path of `auth.url`.
    path: &'static str,
    token: String,
    answers: (String, Value),
}

impl Mode {
    /// The environment of a server whose issuer is at that address.
    fn variables(&self, plain: &[(String, String)], address: SocketAddr) -> Vec<(String, String)> {
        let url = format!("http://{address}{}", self.path);
        let variables = with(plain.to_vec(), "ESOZ_AUTH__TOKENS", self.name);
        let variables = with(variables, "ESOZ_AUTH__URL", &url);
        self.settings.iter().fold(variables, |variables, (name, value)| with(variables, name, value))
    }
}

/// Every mode, with a token of that user and client.
fn modes(owner: &NewAccessToken) -> [Mode; 3] {
    let (user, client) = (owner.user_id.to_string(), owner.client_id.to_string());
    let opaque = || "a-good-token".to_owned();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "a"}));
    let claims = part(json!({
        "iss": "https://issuer.example", "aud": "esoz", "exp": EXPIRES_AT, "sub": user, "client_id": client, "scope": SCOPE,
    }));
    let signed = format!("{header}.{claims}");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap());
    let x = BASE64_URL_SAFE_NO_PAD.encode(key.der_bytes());
    [
        Mode {
            name: "jwt",
            settings: &[("ESOZ_AUTH__ISSUER", "https://issuer.example"), ("ESOZ_AUTH__AUDIENCE", "esoz")],
            path: "/keys",
            token: format!("{signed}.{signature}"),
            answers: (
                "/keys".to_owned(),
                json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x}]}),
            ),
        },
        Mode {
            name: "introspection",
            settings: &[("ESOZ_AUTH__CLIENT_ID", "esoz"), ("ESOZ_AUTH__CLIENT_SECRET", "only tests know")],
            path: "/introspect",
            token: opaque(),
            answers: (
                "/introspect".to_owned(),
                json!({"active": true, "sub": user, "client_id": client, "exp": EXPIRES_AT, "scope": SCOPE}),
            ),
        },
        Mode {
            name: "esoz",
            settings: &[],
            path: "",
            token: opaque(),
            answers: (
                "/admin/tokens/a-good-token/verify".to_owned(),
                json!({"data": {"user_id": user, "expires_at": EXPIRES_AT, "details": {"client_id": client, "scope": SCOPE}}}),
            ),
        },
    ]
}

/// `esoz user block` and `esoz client block` apply whoever issued the token, within the bound of the cache, until they are lifted.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_applies_to_the_tokens_of_every_issuer() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let plain = environment(&stores);
    esoz(&plain, &["migrate"]).assert_success();
    let app = Setup::new(Kind::Sqlite).start_on(stores).await;
    let fixture = StopFixture::load(&app).await;
    for mode in modes(&fixture.stored_token) {
        let address = issuer(slice::from_ref(&mode.answers));
        let variables = with(mode.variables(&plain, address), "ESOZ_CACHE__TTL_MS", "500");
        let (_server, base) = Process::serve(&variables);
        let answers = async |status: u16| {
            wait_for(&format!("{status} in mode {}", mode.name), DEADLINE, async || {
                let answer = ask(&app, &base, &fixture, &mode.token).await;
                if answer.status == status { Ok(answer) } else { Err(answer.status) }
            })
            .await
        };
        // A mode before this one has stopped the dispense.
        let first = ask(&app, &base, &fixture, &mode.token).await;
        assert!(matches!(first.status.as_u16(), 200 | 409), "{}: {}", mode.name, first.status);
        let (user, client) =
            (fixture.stored_token.user_id.to_string(), fixture.stored_token.client_id.to_string());
        for (kind, id) in [("user", &user), ("client", &client)] {
            esoz(&variables, &[kind, "block", id]).assert_success();
            answers(401).await.assert_invalid_token();
            esoz(&variables, &[kind, "unblock", id]).assert_success();
            answers(409).await.assert_conflict("Device dispense in status stopped cannot be stopped");
        }
    }
}

/// Without the issuer every request fails, so the server is not ready.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_cannot_be_reached_is_told_by_ready_doctor_metric_and_log() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let plain = with(environment(&stores), "ESOZ_METRICS__BIND", "127.0.0.1:0");
    esoz(&plain, &["migrate"]).assert_success();
    let app = Setup::new(Kind::Sqlite).start_on(stores).await;
    let fixture = StopFixture::load(&app).await;
    for mode in modes(&fixture.stored_token) {
        // given
        let port = esoz_test_servers::ReservedPort::new().unwrap();
        let variables = mode.variables(&plain, port.address());
        // when
        let (server, base) = Process::serve(&variables);
        // then
        let ready = until_ready_is(&app, &base, 503).await;
        let told = ready.body["error"]["message"].as_str().unwrap();
        assert!(
            told.contains("token_issuer is down") && told.contains("needed by device_dispenses"),
            "{told}"
        );
        server.wait_for_log("token_issuer");
        let scraped = server.scrape().await;
        assert!(scraped.contains("esoz_component_up{component=\"token_issuer\"} 0"), "{scraped}");
        let examined = esoz(&variables, &["doctor"]);
        assert_eq!(examined.status.code(), Some(1), "{}", examined.stdout);
        assert!(examined.stdout.contains("WRONG  token issuer"), "{}", examined.stdout);
        assert!(examined.stdout.contains("ok     http.bind"), "{}", examined.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_answers_makes_the_server_ready_whatever_it_knows() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let plain = environment(&stores);
    esoz(&plain, &["migrate"]).assert_success();
    let app = Setup::new(Kind::Sqlite).start_on(stores).await;
    let fixture = StopFixture::load(&app).await;
    for mode in modes(&fixture.stored_token) {
        let address = issuer(slice::from_ref(&mode.answers));
        let variables = mode.variables(&plain, address);
        let (_server, base) = Process::serve(&variables);
        until_ready_is(&app, &base, 200).await;
        esoz(&variables, &["doctor"]).assert_success();
    }
}
