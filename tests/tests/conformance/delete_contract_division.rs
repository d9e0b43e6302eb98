//! D01, D09, D10 and D12: a contract division is deleted.

use esoz_contract_division::ContractType;
use esoz_testkit::builders::fresh;
use esoz_testkit::contract::AuditRow;
use esoz_tests::{
    Request, TestApp, UpdateFixture, active_contract_divisions, change, on_every_store, update_path,
};
use reqwest::Method;
use serde_json::json;

use crate::NOW_MICROS;
use crate::show_contract_division::{NOT_FOUND, READ, WRITE, every_wrong_caller, put_hidden_records};

const KEY: &str = "x-idempotency-key";
const NOT_DELETABLE: &str = "Only contract divisions for contract with type GB_CBP can be deleted";

fn marked(app: &TestApp, fixture: &UpdateFixture) -> Request {
    fixture.delete_request(app, &fixture.path()).header(KEY, "one")
}

async fn updates(app: &TestApp, fixture: &UpdateFixture) -> Vec<AuditRow> {
    let rows = app.audit().rows(fixture.record.id).await;
    rows.into_iter().filter(|row| row.action == "UPDATE").collect()
}

on_every_store! {
    async fn d01_delete_asks_for_api_key_token_and_both_scopes(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        every_wrong_caller(&app, &fixture, WRITE, || app.request(Method::DELETE, &fixture.path())).await;
        fixture.assert_untouched(&app).await;
        assert_eq!(fixture.delete(&app).await.status, 200);
    }

    async fn d09_unknown_inactive_of_another_type_and_no_uuid(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let [inactive, of_capitation] = put_hidden_records(&app, &fixture).await;
        for id in [fresh().to_string(), inactive.id.to_string(), "42".to_owned()] {
            let answer = fixture.delete_request(&app, &update_path(&id)).send().await;
            answer.assert_error(404, "not_found", NOT_FOUND);
        }
        let path = update_path(&of_capitation.id.to_string());
        fixture.delete_request(&app, &path).send().await.assert_conflict(NOT_DELETABLE);
        for record in [inactive, of_capitation] {
            let found = app.stores.contract_divisions.find(record.id).await.unwrap().unwrap();
            assert_eq!(found.record, record);
            assert_eq!(app.audit().rows(record.id).await.len(), 1);
        }
        fixture.assert_untouched(&app).await;
    }

    async fn d09_of_an_inactive_contract(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let mut contract = fixture.contracts[0].clone();
        contract.facts.kind = ContractType::Reimbursement;
        contract.facts.is_active = false;
        app.put_contract(&contract).await;
        fixture.delete(&app).await.assert_conflict(NOT_DELETABLE);
        fixture.assert_untouched(&app).await;

        contract.facts.kind = ContractType::GbCbp;
        app.put_contract(&contract).await;
        fixture.delete(&app).await.assert_data(&json!({}));
    }

    async fn d10_nothing_wrong_again_and_the_pair_anew(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let upper = update_path(&fixture.record.id.to_string().to_uppercase());
        let request = fixture.delete_request(&app, &upper).header("x-request-id", "a-request-that-is-audited");
        request.send().await.assert_data(&json!({}));
        let stored = fixture.stored(&app).await;
        assert!(!stored.is_active);
        assert_eq!((stored.contract_id, stored.division_id), (fixture.record.contract_id, fixture.record.division_id));
        let row = AuditRow {
            actor_id: fixture.stored_token.user_id,
            resource: "contract_divisions".to_owned(),
            action: "UPDATE".to_owned(),
            before: Some(json!({
                "is_active": true,
                "updated_at": esoz_kernel::time::rfc3339_micros(fixture.record.stamps.updated_at),
                "updated_by": fixture.record.stamps.updated_by.to_string(),
            })),
            after: Some(json!({
                "is_active": false,
                "updated_at": NOW_MICROS,
                "updated_by": fixture.stored_token.user_id.to_string(),
            })),
            request_id: Some("a-request-that-is-audited".to_owned()),
        };
        assert_eq!(updates(&app, &fixture).await, [row]);

        fixture.delete(&app).await.assert_error(404, "not_found", NOT_FOUND);
        fixture.update(&app).await.assert_error(404, "not_found", NOT_FOUND);
        let same_pair = change(&fixture.contracts[0], &fixture.divisions[0]);
        let created = fixture.create_request(&app).json(&same_pair).send().await;
        assert_eq!(created.status, 201, "{:#}", created.body);
        assert_ne!(created.body["data"]["id"], fixture.record.id.to_string());
        assert_eq!(fixture.stored(&app).await, stored);
        let reader = fixture.with_scope(&app, READ).await;
        let show = app.request(Method::GET, &reader.path()).api_key(&reader.api_key).token(&reader.token);
        show.send().await.assert_error(404, "not_found", NOT_FOUND);
    }

    async fn d10_audit_cannot_be_written(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        app.audit().break_writing().await;
        assert_eq!(marked(&app, &fixture).send().await.status, 500);
        fixture.delete(&app).await.assert_internal();
        fixture.assert_untouched(&app).await;
    }

    async fn d12_twice_under_one_key(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        for _ in 0..2 {
            let answer = marked(&app, &fixture).send().await;
            assert_eq!((answer.status.as_u16(), &answer.body["data"]), (200, &json!({})), "{:#}", answer.body);
            assert_eq!(answer.body["meta"]["idempotency_key"], "one");
        }
        assert_eq!(updates(&app, &fixture).await.len(), 1);
        fixture.delete(&app).await.assert_error(404, "not_found", NOT_FOUND);

        // The key is for this record.
        let another = UpdateFixture::load(&app).await;
        let reused = fixture.delete_request(&app, &another.path()).header(KEY, "one").send().await;
        assert_eq!(reused.status, 409, "{:#}", reused.body);
        another.assert_untouched(&app).await;
        // The pair was created anew: a repetition still deletes nothing.
        let same_pair = change(&fixture.contracts[0], &fixture.divisions[0]);
        assert_eq!(fixture.create_request(&app).json(&same_pair).send().await.status, 201);
        assert_eq!(marked(&app, &fixture).send().await.body["data"], json!({}));
        assert_eq!(active_contract_divisions(&app).await.len(), 2);
    }

    async fn d12_many_times_at_once_under_one_key(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let requests: Vec<_> = (0..16).map(|_| tokio::spawn(marked(&app, &fixture).send())).collect();
        for request in requests {
            let answer = request.await.unwrap();
            assert_eq!((answer.status.as_u16(), &answer.body["data"]), (200, &json!({})), "{:#}", answer.body);
        }
        assert_eq!(updates(&app, &fixture).await.len(), 1);
    }

    async fn d12_the_body(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let request = || fixture.delete_request(&app, &fixture.path());
        request().json(&json!({"a": 1})).send().await.assert_faults(&[("$.a", "schema")]);
        request().json(&json!([])).send().await.assert_faults(&[("$", "schema")]);
        let malformed = "Malformed request. Probably, you have sent corrupted JSON.";
        request().body("{").send().await.assert_error(400, "request_malformed", malformed);
        // The shape comes before the record.
        let unknown = fixture.delete_request(&app, &update_path(&fresh().to_string()));
        unknown.json(&json!({"a": 1})).send().await.assert_faults(&[("$.a", "schema")]);
        fixture.assert_untouched(&app).await;
        // No content type is asked for.
        request().header("content-type", "text/plain").body("{}").send().await.assert_data(&json!({}));
    }
}
