//! D01 and D07: a contract division is shown.

use esoz_auth::{NewApiKey, Scope};
use esoz_contract_division::{ContractDivision, ContractType};
use esoz_testkit::builders::{contract_division, contract_of, fresh, secret};
use esoz_tests::{Answer, Request, TestApp, UpdateFixture, on_every_store, update_path};
use reqwest::Method;
use serde_json::{Value, json};

use crate::tokens::every_wrong_token;

pub(crate) const READ: &str = "private_contracts:read";
pub(crate) const WRITE: &str = "private_contracts:write";
pub(crate) const NOT_FOUND: &str = "Contract division with such id is not found";

async fn fixture(app: &TestApp) -> UpdateFixture {
    UpdateFixture::load(app).await.with_scope(app, READ).await
}

/// A request for the record that lacks nothing but who calls.
fn request(app: &TestApp, id: &str) -> Request {
    app.request(Method::GET, &update_path(id))
}

async fn show(app: &TestApp, fixture: &UpdateFixture, id: &str) -> Answer {
    request(app, id).api_key(&fixture.api_key).token(&fixture.token).send().await
}

/// U01 to U03 for a method that asks for `allowance`: `request` begins a request that lacks nothing but who calls, which the fixture's token and
/// api key may.
pub(crate) async fn every_wrong_caller(
    app: &TestApp,
    fixture: &UpdateFixture,
    allowance: &str,
    request: impl Fn() -> Request,
) {
    let with_key = || request().api_key(&fixture.api_key);
    every_wrong_token(app, &fixture.stored_token, &fixture.token, with_key).await;

    let (denied, not_set, invalid) = ("access_denied", "Api key is not set", "Invalid api key");
    let with_token = || request().token(&fixture.token);
    with_token().send().await.assert_error(401, denied, not_set);
    with_token().header("api-key", "  ").send().await.assert_error(401, denied, not_set);
    let credentials = &app.stores.credentials;
    let revoked = secret();
    let stored = NewApiKey { digest: revoked.digest(), ..fixture.stored_api_key.clone() };
    credentials.add_api_key(&stored).await.unwrap();
    assert!(credentials.revoke_api_key(&revoked.digest(), app.in_seconds(0)).await.unwrap());
    for key in [secret(), revoked] {
        with_token().api_key(&key).send().await.assert_error(401, denied, invalid);
    }
    let blocked = fixture.stored_api_key.client_id;
    credentials.set_client_blocked(blocked, true).await.unwrap();
    with_token().api_key(&fixture.api_key).send().await.assert_error(401, denied, invalid);
    credentials.set_client_blocked(blocked, false).await.unwrap();

    let message =
        format!("Your scope does not allow to access this resource. Missing allowances: {allowance}");
    let another = if allowance == READ { WRITE } else { READ };
    let token = fixture.issue(app, |token| token.scope = Scope::parse(another)).await;
    with_key().token(&token).send().await.assert_error(403, "forbidden", &message);
    let key = UpdateFixture::load(app).await.with_scope(app, another).await.api_key;
    with_token().api_key(&key).send().await.assert_error(403, "forbidden", &message);
    request().api_key(&key).token(&token).send().await.assert_error(403, "forbidden", &message);
}

/// Stores the records that are not shown: an inactive one, and one of a contract of another type.
pub(crate) async fn put_hidden_records(app: &TestApp, fixture: &UpdateFixture) -> [ContractDivision; 2] {
    let mut inactive = contract_division(fixture.contracts[0].facts.id, fixture.divisions[1].facts.id);
    inactive.is_active = false;
    app.put_contract_division(&inactive).await;
    let mut capitation = contract_of(fixture.clinic.facts.id);
    capitation.facts.kind = ContractType::Capitation;
    app.put_contract(&capitation).await;
    let of_capitation = contract_division(capitation.facts.id, fixture.divisions[0].facts.id);
    app.put_contract_division(&of_capitation).await;
    [inactive, of_capitation]
}

/// The eight fields of the record.
pub(crate) fn shown(record: &ContractDivision) -> Value {
    let time = esoz_kernel::time::rfc3339_micros;
    json!({
        "id": record.id.to_string(),
        "contract_id": record.contract_id.to_string(),
        "division_id": record.division_id.to_string(),
        "is_active": true,
        "inserted_at": time(record.stamps.inserted_at),
        "inserted_by": record.stamps.inserted_by.to_string(),
        "updated_at": time(record.stamps.updated_at),
        "updated_by": record.stamps.updated_by.to_string(),
    })
}

on_every_store! {
    async fn d01_show_asks_for_api_key_token_and_both_scopes(kind) {
        let app = TestApp::new(kind).await;
        let fixture = fixture(&app).await;
        let id = fixture.record.id.to_string();
        every_wrong_caller(&app, &fixture, READ, || request(&app, &id)).await;
        assert_eq!(show(&app, &fixture, &id).await.status, 200);
    }

    async fn d07_there_and_of_an_inactive_contract(kind) {
        let app = TestApp::new(kind).await;
        let fixture = fixture(&app).await;
        let id = fixture.record.id.to_string();
        show(&app, &fixture, &id).await.assert_data(&shown(&fixture.record));
        show(&app, &fixture, &id.to_uppercase()).await.assert_data(&shown(&fixture.record));

        let mut inactive = fixture.contracts[0].clone();
        inactive.facts.is_active = false;
        app.put_contract(&inactive).await;
        show(&app, &fixture, &id).await.assert_data(&shown(&fixture.record));
        fixture.assert_untouched(&app).await;
    }

    async fn d07_right_after_an_update(kind) {
        let app = TestApp::new(kind).await;
        let writer = UpdateFixture::load(&app).await;
        let updated = writer.update(&app).await;
        assert_eq!(updated.status, 200);
        let reader = writer.with_scope(&app, READ).await;
        show(&app, &reader, &reader.record.id.to_string()).await.assert_data(&updated.body["data"]);
    }

    async fn d07_unknown_inactive_of_another_type_and_no_uuid(kind) {
        let app = TestApp::new(kind).await;
        let fixture = fixture(&app).await;
        let [inactive, of_capitation] = put_hidden_records(&app, &fixture).await;
        for id in [fresh().to_string(), inactive.id.to_string(), of_capitation.id.to_string(), "42".to_owned()] {
            show(&app, &fixture, &id).await.assert_error(404, "not_found", NOT_FOUND);
        }
    }
}
