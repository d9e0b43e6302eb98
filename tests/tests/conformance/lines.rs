//! The log of a request: one line, whatever became of it.

use esoz_auth::{Scope, TokenKind};
use esoz_kernel::{ClientId, LegalEntityId, UserId};
use esoz_testkit::builders::{fresh, secret};
use esoz_tests::{Kind, Setup, StopFixture, TestApp, on_every_store, secret_scan, stop_path};
use serde_json::{Value, json};

/// The lines of that request.
pub(crate) fn lines_of(request_id: &str) -> Vec<Value> {
    let captured = secret_scan::captured();
    let lines = captured.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["request_id"] == request_id).collect()
}

const ROUTE: &str = "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

on_every_store! {
    async fn a_refusal_is_one_line_of_news(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let unknown = fixture.another(&app).build();
        let id = fresh().to_string();
        let ask = fixture.request_for(&app, &unknown).header("x-request-id", &id);
        ask.header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-00")).send().await.assert_not_found();
        let lines = lines_of(&id);
        let [line] = lines.as_slice() else { panic!("{lines:#?}") };
        assert!(line["elapsed_us"].is_u64(), "{line:#}");
        let expected = json!({
            "timestamp": line["timestamp"], "level": "INFO", "target": "esoz_http::guard", "message": "request",
            "request_id": id, "trace_id": TRACE, "method": "PATCH", "route": ROUTE, "status": 404,
            "client_address": "127.0.0.1", "client_id": fixture.stored_token.client_id.to_string(),
            "user_id": fixture.stored_token.user_id.to_string(), "outcome": "not_found",
            "reason": "unknown", "elapsed_us": line["elapsed_us"],
        });
        assert_eq!(*line, expected);
    }

    async fn an_operator_learns_which_cause_a_refusal_has_and_its_caller_does_not(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let foreign = fixture.another(&app).owner(LegalEntityId::new(fresh())).build();
        app.put_dispense(&foreign).await;
        let (patient, dispense) = (fixture.patient.uuid().to_string(), fixture.dispense.id.to_string());
        let narrow = fixture.issue(&app, |token| token.scope = Scope::parse("event:read")).await;
        let stranger = fixture.issue(&app, |token| token.client_id = ClientId::new(fresh())).await;
        let not_found = [
            (stop_path(&patient, &fresh().to_string()), "unknown"),
            (stop_path(&patient, "1"), "malformed_id"),
            (fixture.path_of(&foreign), "other_legal_entity"),
            (stop_path(&fresh().to_string(), &dispense), "other_patient"),
        ];
        let not_found = not_found.map(|(path, reason)| (path, &fixture.token, "not_found", reason));
        let others = [
            (fixture.path(), &narrow, "missing_allowances", "token"),
            (fixture.path(), &stranger, "legal_entity_not_active", "unknown"),
        ];
        for (path, token, outcome, reason) in not_found.into_iter().chain(others) {
            let id = fresh().to_string();
            let answer = app.patch(&path).token(token).header("x-request-id", &id).send().await;
            if outcome == "not_found" {
                answer.assert_not_found();
            }
            let lines = lines_of(&id);
            let [line] = lines.as_slice() else { panic!("{lines:#?}") };
            assert_eq!((&line["outcome"], &line["reason"]), (&json!(outcome), &json!(reason)), "{line:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_request_is_one_error_with_its_cause() {
    let app = Setup::new(Kind::Sqlite).variable("ESOZ_SQLITE__BUSY_TIMEOUT_MS", "300").start().await;
    let fixture = StopFixture::load(&app).await;
    let lock = app.test_stores.file().unwrap().lock();
    let id = fresh().to_string();
    fixture.request(&app).header("x-request-id", &id).send().await.assert_unavailable();
    drop(lock);
    let lines = lines_of(&id);
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!((&line["level"], &line["status"]), (&json!("ERROR"), &json!(503)));
    let cause = line["error"].as_str().unwrap();
    assert!(
        cause.starts_with("the dispense could not be stopped: the store is unavailable while"),
        "{cause}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_writes_in_the_place_of_a_verb_is_not_repeated() {
    let app = TestApp::new(Kind::Sqlite).await;
    let id = fresh().to_string();
    let odd = reqwest::Method::from_bytes(b"SECRET-OF-A-PATIENT").unwrap();
    let answer = app.request(odd, "/api/patients").header("x-request-id", &id).send().await;
    assert_eq!(answer.status, 404);
    let lines = lines_of(&id);
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!(line["method"], "_OTHER");
    assert!(!secret_scan::captured().contains("SECRET-OF-A-PATIENT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_told_by_its_route_however_it_is_spelled() {
    let app = TestApp::new(Kind::Sqlite).await;
    let id = fresh().to_string();
    let spelled = stop_path(&fresh().to_string(), &fresh().to_string()).replace("/api", "/%61pi");
    let answer = app.patch(&spelled).header("x-request-id", &id).send().await;
    assert_eq!(answer.status, 401);
    let lines = lines_of(&id);
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!(line["route"], ROUTE);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_learns_why_a_token_is_not_valid_and_its_caller_does_not() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    let credentials = &app.stores.credentials;
    let revoked = fixture.issue(&app, |_| {}).await;
    credentials.revoke_token(&revoked.digest(), app.in_seconds(0)).await.unwrap();
    let of_blocked = fixture.issue(&app, |token| token.user_id = UserId::new(fresh())).await;
    let digest = of_blocked.digest();
    let user =
        app.stores.access_tokens.find(&of_blocked).await.unwrap().filter(|facts| facts.digest == digest);
    credentials.set_user_blocked(user.unwrap().user_id, true).await.unwrap();
    for (token, reason) in [
        (secret(), "unknown"),
        (fixture.issue(&app, |token| token.kind = TokenKind::Other).await, "other_kind"),
        (fixture.issue(&app, |token| token.expires_at = app.in_seconds(0)).await, "expired"),
        (revoked, "revoked"),
        (of_blocked, "user_blocked"),
    ] {
        let id = fresh().to_string();
        let request = app.patch(&fixture.path()).token(&token).header("x-request-id", &id);
        request.send().await.assert_invalid_token();
        let lines = lines_of(&id);
        let [line] = lines.as_slice() else { panic!("{lines:#?}") };
        assert_eq!((&line["outcome"], &line["reason"]), (&json!("invalid_token"), &json!(reason)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_told_without_what_may_name_somebody() {
    let app = TestApp::new(Kind::Sqlite).await;
    let (patient, id) = (fresh(), fresh().to_string());
    let path = format!("/api/patients/{patient}/device_dispenses/olena/hunter-two/%61ctions");
    let answer = app.request(reqwest::Method::GET, &path).header("x-request-id", &id).send().await;
    assert_eq!(answer.status, 404);
    let lines = lines_of(&id);
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!(line["path"], "/api/patients/*/device_dispenses/*/*/actions");
    assert_eq!(line.get("route"), None);
}
