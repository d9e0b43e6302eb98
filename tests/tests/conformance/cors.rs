//! Which web pages may call the API from a browser: none, or those of the origins that are configured.

use std::sync::Arc;

use esoz_tests::{CONTRACT_DIVISIONS, Kind, Setup, StopFixture, TestApp};
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};

use crate::doubles::Panicking;

const MIS: &str = "https://mis.example";

/// What the answer says about other origins.
fn told(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let mut told: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .filter(|(name, value)| {
            name.starts_with("access-control-") || (*name == "vary" && *value == "origin")
        })
        .collect();
    told.sort_unstable();
    told
}

/// Asks as a browser does before a request of that verb.
async fn preflight(app: &TestApp, path: &str, origin: &str, verb: &str) -> Response {
    let request = reqwest::Client::new()
        .request(Method::OPTIONS, format!("{}{path}", app.base()))
        .header("origin", origin)
        .header("access-control-request-method", verb)
        .header("access-control-request-headers", "authorization");
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_no_page_may_read_anything() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    let answer = preflight(&app, &fixture.path(), MIS, "PATCH").await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(told(answer.headers()), []);
    for request in
        [fixture.request(&app), app.patch(&fixture.path()), app.request(Method::GET, "/openapi.json")]
    {
        assert_eq!(told(&request.header("origin", MIS).send().await.headers), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_configured_origin_may_and_no_others() {
    let setup = Setup::new(Kind::Sqlite)
        .variable("ESOZ_CORS__ALLOWED_ORIGINS", "https://other.example,https://mis.example");
    let app = setup.start().await;
    let fixture = StopFixture::load(&app).await;

    let answer = preflight(&app, &fixture.path(), MIS, "PATCH").await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let readable = (
        "access-control-expose-headers",
        "allow, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id",
    );
    let origin = ("access-control-allow-origin", MIS);
    let expected = [
        (
            "access-control-allow-headers",
            "authorization, api-key, content-type, traceparent, x-request-id, x-idempotency-key",
        ),
        ("access-control-allow-methods", "PATCH"),
        origin,
        readable,
        ("access-control-max-age", "600"),
        ("vary", "origin"),
    ];
    assert_eq!(told(answer.headers()), expected);
    assert_eq!(answer.headers()["x-frame-options"], "DENY");

    for request in [fixture.request(&app), app.patch(&fixture.path()), app.request(Method::GET, "/nothing")] {
        let answer = request.header("origin", MIS).send().await;
        assert_eq!(told(&answer.headers), [origin, readable, ("vary", "origin")], "{}", answer.status);
    }
    for stranger in [
        "https://evil.example",
        "https://mis.example:8443",
        "http://mis.example",
        "null",
        "https://mis.example.evil.example",
    ] {
        let answer = preflight(&app, &fixture.path(), stranger, "PATCH").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{stranger}");
        assert_eq!(told(answer.headers()), [("vary", "origin")], "{stranger}");
        let answer = app.patch(&fixture.path()).header("origin", stranger).send().await;
        assert_eq!(told(&answer.headers), [("vary", "origin")], "{stranger}");
    }
    // OPTIONS that is no preflight.
    let answer = app.request(Method::OPTIONS, &fixture.path()).header("origin", MIS).send().await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_also_read_what_went_wrong() {
    let setup = Setup::new(Kind::Sqlite)
        .variable("ESOZ_CORS__ALLOWED_ORIGINS", MIS)
        .variable("ESOZ_HTTP__HEADERS_MAX_BYTES", "2000");
    let app = setup.replace(|parts| parts.stores.legal_entities = Arc::new(Panicking)).start().await;
    let fixture = StopFixture::load(&app).await;
    let panicked = fixture.request(&app).header("origin", MIS).send().await;
    panicked.assert_internal();
    let too_large = app.patch("/").header("x-large", &"x".repeat(2_000)).header("origin", MIS).send().await;
    assert_eq!(too_large.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    for answer in [panicked, too_large] {
        assert_eq!(answer.headers["access-control-allow-origin"], MIS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c08_a_path_with_several_verbs_names_all_of_them() {
    let setup = Setup::new(Kind::Sqlite).variable("ESOZ_CORS__ALLOWED_ORIGINS", MIS);
    let app = setup.start().await;
    let record = esoz_tests::update_path("07ba637c-15d8-46fb-8304-c738a54e14bb");
    for (path, all) in [(CONTRACT_DIVISIONS, "GET, HEAD, POST"), (&record, "GET, HEAD, PUT, DELETE")] {
        let verbs = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
        for verb in verbs.into_iter().filter(|verb| !all.contains(verb.as_str())) {
            let answer = app.request(verb, path).send().await;
            answer.assert_error(
                405,
                "method_not_allowed",
                &format!("Method is not allowed here. Allowed: {all}."),
            );
            assert_eq!(answer.headers["allow"], all);
        }
        for verb in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
            let answer = preflight(&app, path, MIS, verb).await;
            assert_eq!(answer.status(), StatusCode::NO_CONTENT);
            assert_eq!(answer.headers()["access-control-allow-methods"], all);
        }
    }
}
