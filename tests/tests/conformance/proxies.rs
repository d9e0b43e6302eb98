//! Behind proxies: who the client is, and which URL it asked for.

use esoz_kernel::Uuid;
use esoz_testkit::builders::{fresh, secret};
use esoz_tests::{Kind, Setup, StopFixture, TestApp};
use serde_json::Value;

use crate::lines::lines_of;

const FAILURES: (&str, &str) = ("ESOZ_RATE_LIMIT__FAILED_AUTHENTICATIONS_PER_MINUTE", "2");

async fn behind(trusted: &str, public_url: &str) -> TestApp {
    let setup = Setup::new(Kind::Sqlite).variable(FAILURES.0, FAILURES.1);
    let setup = setup.variable("ESOZ_HTTP__TRUSTED_PROXIES", trusted);
    setup.variable("ESOZ_HTTP__PUBLIC_URL", public_url).start().await
}

/// Asks with a token that is not valid, and gives the status, `meta.url` and the client's address in the log.
async fn ask(app: &TestApp, fixture: &StopFixture, lines: &[(&str, &str)]) -> (u16, String, String) {
    let id: Uuid = fresh();
    let mut request = reqwest::Client::new().patch(format!("{}{}", app.base(), fixture.path()));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let request = request.header("x-request-id", id.to_string()).bearer_auth(secret().expose());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    let logged = lines_of(&id.to_string());
    let [line] = logged.as_slice() else { panic!("{logged:#?}") };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (status, text(&body["meta"]["url"]), text(&line["client_address"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_tells_the_client_and_its_url() {
    let app = behind("127.0.0.0/8,10.0.0.1", "").await;
    let fixture = StopFixture::load(&app).await;
    let url = format!("https://esoz.example{}", fixture.path());
    for (lines, client) in [
        (
            vec![
                ("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.1"),
                ("x-forwarded-proto", "https, http"),
                ("x-forwarded-host", "esoz.example, inner.example"),
            ],
            "203.0.113.9",
        ),
        (
            vec![
                ("forwarded", "for=198.51.100.1;host=evil.example"),
                ("forwarded", "for=\"[2001:db8::9]:4711\";proto=https;host=\"esoz.example\", for=10.0.0.1"),
            ],
            "2001:db8::9",
        ),
    ] {
        for status in [401, 401, 429] {
            assert_eq!(ask(&app, &fixture, &lines).await, (status, url.clone(), client.to_owned()));
        }
    }
    // Another client, another count; what is malformed is ignored, and spoils nothing of what the proxy appended to it.
    assert_eq!(
        ask(&app, &fixture, &[("forwarded", "for=\"unclosed, for=203.0.113.11")]).await.2,
        "203.0.113.11"
    );
    assert_eq!(ask(&app, &fixture, &[("x-forwarded-for", "203.0.113.10")]).await.0, 401);
    let own = format!("{}{}", app.base(), fixture.path());
    for line in [("x-forwarded-for", "nonsense"), ("forwarded", "for=\"unclosed")] {
        assert_eq!(ask(&app, &fixture, &[line]).await, (401, own.clone(), "127.0.0.1".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed() {
    let app = behind("10.0.0.0/8", "").await;
    let fixture = StopFixture::load(&app).await;
    let own = format!("{}{}", app.base(), fixture.path());
    for (number, status) in [(1, 401), (2, 401), (3, 429), (4, 429)] {
        let client = format!("203.0.113.{number}");
        let standard = format!("for={client};proto=https;host=evil.example");
        let lines = [
            ("x-forwarded-for", client.as_str()),
            ("x-forwarded-host", "evil.example"),
            ("forwarded", &standard),
        ];
        assert_eq!(ask(&app, &fixture, &lines).await, (status, own.clone(), "127.0.0.1".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_url_wins() {
    let app = behind("127.0.0.1", "https://esoz.example/ehealth/").await;
    let fixture = StopFixture::load(&app).await;
    let (_, url, client) = ask(&app, &fixture, &[("x-forwarded-host", "other.example")]).await;
    assert_eq!(
        (url, client),
        (format!("https://esoz.example/ehealth{}", fixture.path()), "127.0.0.1".to_owned())
    );
    let answer = reqwest::get(format!("{}/health/live", app.base())).await.unwrap();
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
}
