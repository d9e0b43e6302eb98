//! U01, U03, U10 to U20, U24 and Q01 to Q03: the update, one thing wrong or special at a time, and the order of the rules.

use esoz_auth::{NewApiKey, Scope, Secret};
use esoz_contract_division::{ContractStatus, ContractType, DivisionStatus};
use esoz_kernel::ClientId;
use esoz_testkit::builders::{contract_division, contract_of, division_of, fresh, legal_entity, secret};
use esoz_testkit::contract::AuditRow;
use esoz_tests::{Kind, TestApp, UpdateFixture, change, on_every_store, update_path};
use serde_json::json;

use crate::NOW_MICROS;
use crate::show_contract_division::NOT_FOUND;

const NOT_GLOBAL_BUDGET: &str = "Only contract divisions for contract with type GB_CBP can be updated";
pub(crate) const NO_DIVISION: &str = "Division is not found";
pub(crate) const FOREIGN_DIVISION: &str = "Division is not correspond to contractor legal entity";
pub(crate) const UNUSABLE_CONTRACT: &str = "Contract must be an active and with GB_CBP type";
pub(crate) const PAIR_TAKEN: &str = "Contract division with such contract and division already exists";
pub(crate) const MISSING: &str =
    "Your scope does not allow to access this resource. Missing allowances: private_contracts:write";

async fn issue_key(app: &TestApp, fixture: &UpdateFixture, change: impl FnOnce(&mut NewApiKey)) -> Secret {
    let key = secret();
    let mut stored = NewApiKey { digest: key.digest(), ..fixture.stored_api_key.clone() };
    change(&mut stored);
    app.stores.credentials.add_api_key(&stored).await.unwrap();
    key
}

on_every_store! {
    async fn u01_api_key(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let without = || app.put(&fixture.path()).token(&fixture.token).json(&fixture.change());
        without().send().await.assert_error(401, "access_denied", "Api key is not set");
        without().header("api-key", "").send().await.assert_error(401, "access_denied", "Api key is not set");

        let revoked = issue_key(&app, &fixture, |_| {}).await;
        assert!(app.stores.credentials.revoke_api_key(&revoked.digest(), app.in_seconds(0)).await.unwrap());
        let blocked = issue_key(&app, &fixture, |key| key.client_id = ClientId::new(fresh())).await;
        let found = app.stores.api_keys.find(&blocked).await.unwrap().unwrap();
        app.stores.credentials.set_client_blocked(found.client_id, true).await.unwrap();
        for key in [Secret::new("unknown"), revoked, blocked] {
            without().api_key(&key).send().await.assert_error(401, "access_denied", "Invalid api key");
        }
        // It comes before the token.
        let nobody = app.put(&fixture.path()).json(&fixture.change()).send().await;
        nobody.assert_error(401, "access_denied", "Api key is not set");
        fixture.assert_untouched(&app).await;
    }

    async fn u03_scope_of_token_or_key_lacks_it(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let token = fixture.issue(&app, |token| token.scope = Scope::parse("private_contracts:read")).await;
        let key = issue_key(&app, &fixture, |key| key.scope = Scope::parse("private_contracts:read")).await;
        for (token, key) in [(&token, &fixture.api_key), (&fixture.token, &key), (&token, &key)] {
            let request = app.put(&fixture.path()).api_key(key).token(token).json(&fixture.change());
            request.send().await.assert_error(403, "forbidden", MISSING);
        }
        fixture.assert_untouched(&app).await;
    }

    async fn u10_record_unknown_or_inactive_or_no_uuid(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let mut inactive = contract_division(fixture.contracts[0].facts.id, fixture.divisions[0].facts.id);
        inactive.is_active = false;
        app.put_contract_division(&inactive).await;
        for id in [fresh().to_string(), inactive.id.to_string(), "42".to_owned()] {
            let answer = fixture.request_to(&app, &update_path(&id)).json(&fixture.change()).send().await;
            answer.assert_error(404, "not_found", NOT_FOUND);
        }
        fixture.assert_untouched(&app).await;

        let upper = update_path(&fixture.record.id.to_string().to_uppercase());
        let answer = fixture.request_to(&app, &upper).json(&fixture.change()).send().await;
        answer.assert_data(&fixture.updated(&fixture.contracts[1], &fixture.divisions[1], NOW_MICROS));
    }

    async fn u11_current_contract_is_no_active_global_budget(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        for (contract_type, is_active) in
            [(ContractType::Capitation, true), (ContractType::Reimbursement, true), (ContractType::GbCbp, false)]
        {
            let mut contract = fixture.contracts[0].clone();
            contract.facts.kind = contract_type;
            contract.facts.is_active = is_active;
            app.put_contract(&contract).await;
            fixture.update(&app).await.assert_conflict(NOT_GLOBAL_BUDGET);
        }
        fixture.assert_untouched(&app).await;
    }

    async fn u12_division_unknown_or_inactive(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let unknown = json!({"division_id": fresh().to_string(), "contract_id": fixture.contracts[1].facts.id.to_string()});
        fixture.put(&app, &unknown).await.assert_error_at(404, "not_found", NO_DIVISION, "$.division_id");

        let mut inactive = fixture.divisions[1].clone();
        inactive.facts.is_active = false;
        app.put_division(&inactive).await;
        fixture.update(&app).await.assert_error_at(404, "not_found", NO_DIVISION, "$.division_id");
        fixture.assert_untouched(&app).await;
    }

    async fn u13_division_of_another_legal_entity(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let other = legal_entity();
        app.put_legal_entity(&other).await;
        let foreign = division_of(other.facts.id);
        app.put_division(&foreign).await;
        let answer = fixture.put(&app, &change(&fixture.contracts[1], &foreign)).await;
        answer.assert_error_at(409, "request_conflict", FOREIGN_DIVISION, "$.division_id");

        // The contractor that counts is that of the contract in the body, not that of the record's.
        let foreign_contract = contract_of(other.facts.id);
        app.put_contract(&foreign_contract).await;
        let answer = fixture.put(&app, &change(&foreign_contract, &fixture.divisions[1])).await;
        answer.assert_error_at(409, "request_conflict", FOREIGN_DIVISION, "$.division_id");
        fixture.assert_untouched(&app).await;
    }

    async fn u14_new_contract_unknown_or_not_usable(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let unknown = json!({"division_id": fixture.divisions[1].facts.id.to_string(), "contract_id": fresh().to_string()});
        let answer = fixture.put(&app, &unknown).await;
        answer.assert_error_at(409, "request_conflict", UNUSABLE_CONTRACT, "$.contract_id");
        for contract in fixture.unusable_contracts() {
            app.put_contract(&contract).await;
            let answer = fixture.update(&app).await;
            answer.assert_error_at(409, "request_conflict", UNUSABLE_CONTRACT, "$.contract_id");
        }
        fixture.assert_untouched(&app).await;
    }

    async fn u15_contract_and_division_of_another_legal_entity(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let other = legal_entity();
        app.put_legal_entity(&other).await;
        let (division, contract) = (division_of(other.facts.id), contract_of(other.facts.id));
        app.put_division(&division).await;
        app.put_contract(&contract).await;
        let answer = fixture.put(&app, &change(&contract, &division)).await;
        answer.assert_data(&fixture.updated(&contract, &division, NOW_MICROS));
    }

    async fn u16_another_record_has_the_pair(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let taken = contract_division(fixture.contracts[1].facts.id, fixture.divisions[1].facts.id);
        app.put_contract_division(&taken).await;
        let answer = fixture.update(&app).await;
        answer.assert_error_at(409, "request_conflict", PAIR_TAKEN, "$.division_id");
        fixture.assert_untouched(&app).await;
    }

    async fn u16_an_inactive_record_has_the_pair(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let mut inactive = contract_division(fixture.contracts[1].facts.id, fixture.divisions[1].facts.id);
        inactive.is_active = false;
        app.put_contract_division(&inactive).await;
        let answer = fixture.update(&app).await;
        answer.assert_data(&fixture.updated(&fixture.contracts[1], &fixture.divisions[1], NOW_MICROS));
    }

    async fn u17_nothing_wrong(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let answer = fixture.update(&app).await;
        answer.assert_data(&fixture.updated(&fixture.contracts[1], &fixture.divisions[1], NOW_MICROS));
        let stored = fixture.stored(&app).await;
        assert_eq!(stored.contract_id, fixture.contracts[1].facts.id);
        assert_eq!(stored.division_id, fixture.divisions[1].facts.id);
        assert_eq!(stored.stamps.inserted_at, fixture.record.stamps.inserted_at);
        assert_eq!(stored.stamps.inserted_by, fixture.record.stamps.inserted_by);
    }

    async fn u18_the_same_again(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        assert_eq!(fixture.update(&app).await.status, 200);
        app.clock.advance(std::time::Duration::from_micros(1));
        let later = "2026-01-31T08:16:30.123457Z";
        fixture.update(&app).await.assert_data(&fixture.updated(&fixture.contracts[1], &fixture.divisions[1], later));
        let rows = app.audit().rows(fixture.record.id).await;
        let actions: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
        assert_eq!(actions, ["INSERT", "UPDATE", "UPDATE"]);
        assert_eq!(rows[2].before, Some(json!({"updated_at": NOW_MICROS})));
        assert_eq!(rows[2].after, Some(json!({"updated_at": later})));
    }

    async fn u19_the_audit_row(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let request = fixture.request(&app).header("x-request-id", "a-request-that-is-audited");
        assert_eq!(request.json(&fixture.change()).send().await.status, 200);
        let rows = app.audit().rows(fixture.record.id).await;
        let expected = AuditRow {
            actor_id: fixture.stored_token.user_id,
            resource: "contract_divisions".to_owned(),
            action: "UPDATE".to_owned(),
            before: Some(json!({
                "contract_id": fixture.contracts[0].facts.id.to_string(),
                "division_id": fixture.divisions[0].facts.id.to_string(),
                "updated_at": esoz_kernel::time::rfc3339_micros(fixture.record.stamps.updated_at),
                "updated_by": fixture.record.stamps.updated_by.to_string(),
            })),
            after: Some(json!({
                "contract_id": fixture.contracts[1].facts.id.to_string(),
                "division_id": fixture.divisions[1].facts.id.to_string(),
                "updated_at": NOW_MICROS,
                "updated_by": fixture.stored_token.user_id.to_string(),
            })),
            request_id: Some("a-request-that-is-audited".to_owned()),
        };
        assert_eq!(rows[1..], [expected]);
    }

    async fn u20_audit_cannot_be_written(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        app.audit().break_writing().await;
        fixture.update(&app).await.assert_internal();
        fixture.assert_untouched(&app).await;
    }

    async fn u24_status_and_suspension_play_no_part(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let mut division = fixture.divisions[1].clone();
        division.status = DivisionStatus::Inactive;
        app.put_division(&division).await;
        for contract in &fixture.contracts {
            let mut contract = contract.clone();
            contract.status = ContractStatus::Terminated;
            contract.is_suspended = true;
            app.put_contract(&contract).await;
        }
        let answer = fixture.update(&app).await;
        answer.assert_data(&fixture.updated(&fixture.contracts[1], &fixture.divisions[1], NOW_MICROS));
    }

    async fn q01_broken_body_and_missing_scope(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let token = fixture.issue(&app, |token| token.scope = Scope::parse("")).await;
        let request = app.put(&fixture.path()).api_key(&fixture.api_key).token(&token);
        request.body("{broken").send().await.assert_error(403, "forbidden", MISSING);
    }

    async fn q02_unknown_record_and_bad_shape(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let answer = fixture.request_to(&app, &update_path(&fresh().to_string())).json(&json!({})).send().await;
        answer.assert_faults(&[("$.contract_id", "required"), ("$.division_id", "required")]);
    }

    async fn q03_unknown_division_and_foreign_contract_type(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let mut contract = fixture.contracts[1].clone();
        contract.facts.kind = ContractType::Capitation;
        app.put_contract(&contract).await;
        let body = json!({"division_id": fresh().to_string(), "contract_id": contract.facts.id.to_string()});
        fixture.put(&app, &body).await.assert_error_at(404, "not_found", NO_DIVISION, "$.division_id");
    }

    async fn only_the_database_owner_can_touch_the_audit(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        match kind {
            Kind::Sqlite => {
                let file = app.test_stores.file().unwrap();
                for sql in ["UPDATE audit_log SET action = 'DELETE'", "DELETE FROM audit_log"] {
                    assert!(file.try_execute(sql).is_err(), "{sql}");
                }
            }
            Kind::Servers => {
                let database = app.test_stores.database().unwrap();
                for sql in [
                    "SET ROLE esoz_service; UPDATE audit_log SET action = 'DELETE'",
                    "SET ROLE esoz_service; DELETE FROM audit_log",
                    "SET ROLE esoz_service; TRUNCATE audit_log",
                    "SET ROLE esoz_service; DELETE FROM contract_divisions",
                ] {
                    assert!(database.try_execute(sql).is_err(), "{sql}");
                }
            }
        }
        fixture.assert_untouched(&app).await;
    }
}
