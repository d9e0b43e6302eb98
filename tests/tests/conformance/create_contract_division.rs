//! D01, D03 to D06 and D13: a contract division is created. (D02: `update_body.rs`; D04 at once: `contract_division_races.rs`; D06 under kill -9:
//! `processes/idempotency.rs`.)

use esoz_auth::Scope;
use esoz_contract_division::Pair;
use esoz_testkit::builders::{contract_division, contract_of, division_of, fresh, legal_entity};
use esoz_testkit::contract::AuditRow;
use esoz_tests::{
    Answer, Request, TestApp, UpdateFixture, active_contract_divisions, change, on_every_store, update_path,
};
use serde_json::{Value, json};

use crate::NOW_MICROS;
use crate::show_contract_division::{READ, WRITE, every_wrong_caller, shown};
use crate::update::{FOREIGN_DIVISION, MISSING, NO_DIVISION, PAIR_TAKEN, UNUSABLE_CONTRACT};

const KEY: &str = "x-idempotency-key";

async fn create(app: &TestApp, fixture: &UpdateFixture, body: &Value) -> Answer {
    fixture.create_request(app).json(body).send().await
}

fn marked(app: &TestApp, fixture: &UpdateFixture) -> Request {
    fixture.create_request(app).header(KEY, "one").json(&fixture.change())
}

/// The record that the answer names, as it must be: the pair of the fixture's change, created now by the token's user.
pub(crate) fn created(fixture: &UpdateFixture, answer: &Answer) -> Value {
    let id = answer.body["data"]["id"].as_str().unwrap_or_default();
    let by = fixture.stored_token.user_id.to_string();
    let mut record = fixture.change();
    record["id"] = json!(id.parse::<esoz_kernel::Uuid>().unwrap().to_string());
    record["is_active"] = json!(true);
    (record["inserted_at"], record["inserted_by"]) = (json!(NOW_MICROS), json!(by));
    (record["updated_at"], record["updated_by"]) = (json!(NOW_MICROS), json!(by));
    record
}

/// Nothing was created: the one active record is the fixture's.
async fn assert_nothing_created(app: &TestApp, fixture: &UpdateFixture) {
    fixture.assert_untouched(app).await;
    assert_eq!(active_contract_divisions(app).await, [fixture.record]);
}

on_every_store! {
    async fn d01_create_asks_for_api_key_token_and_both_scopes(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let anybody = || app.request(reqwest::Method::POST, esoz_tests::CONTRACT_DIVISIONS).json(&fixture.change());
        every_wrong_caller(&app, &fixture, WRITE, anybody).await;
        let pair = Pair { division_id: fixture.divisions[1].facts.id, contract_id: fixture.contracts[1].facts.id };
        let active = active_contract_divisions(&app).await;
        let of_pair = active.iter().filter(|record| (record.contract_id, record.division_id) == (pair.contract_id, pair.division_id));
        assert_eq!(of_pair.count(), 0);
        assert_eq!(fixture.create(&app).await.status, 201);
    }

    async fn d03_division_unknown_or_inactive(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let mut unknown = fixture.change();
        unknown["division_id"] = json!(fresh().to_string());
        create(&app, &fixture, &unknown).await.assert_error_at(404, "not_found", NO_DIVISION, "$.division_id");

        let mut inactive = fixture.divisions[1].clone();
        inactive.facts.is_active = false;
        app.put_division(&inactive).await;
        fixture.create(&app).await.assert_error_at(404, "not_found", NO_DIVISION, "$.division_id");
        assert_nothing_created(&app, &fixture).await;
    }

    async fn d03_division_of_another_legal_entity(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let other = legal_entity();
        app.put_legal_entity(&other).await;
        let (division, contract) = (division_of(other.facts.id), contract_of(other.facts.id));
        app.put_division(&division).await;
        app.put_contract(&contract).await;
        for body in [change(&fixture.contracts[1], &division), change(&contract, &fixture.divisions[1])] {
            let answer = create(&app, &fixture, &body).await;
            answer.assert_error_at(409, "request_conflict", FOREIGN_DIVISION, "$.division_id");
        }
        assert_nothing_created(&app, &fixture).await;
        // Whose they are does not matter as long as they belong together.
        assert_eq!(create(&app, &fixture, &change(&contract, &division)).await.status, 201);
    }

    async fn d03_contract_unknown_or_not_usable(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let mut unknown = fixture.change();
        unknown["contract_id"] = json!(fresh().to_string());
        let answer = create(&app, &fixture, &unknown).await;
        answer.assert_error_at(409, "request_conflict", UNUSABLE_CONTRACT, "$.contract_id");
        for contract in fixture.unusable_contracts() {
            app.put_contract(&contract).await;
            let answer = fixture.create(&app).await;
            answer.assert_error_at(409, "request_conflict", UNUSABLE_CONTRACT, "$.contract_id");
        }
        assert_nothing_created(&app, &fixture).await;
    }

    async fn d04_active_pair_there_and_inactive_pair_there(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let there = change(&fixture.contracts[0], &fixture.divisions[0]);
        let answer = create(&app, &fixture, &there).await;
        answer.assert_error_at(409, "request_conflict", PAIR_TAKEN, "$.division_id");
        assert_nothing_created(&app, &fixture).await;

        let mut inactive = contract_division(fixture.contracts[1].facts.id, fixture.divisions[1].facts.id);
        inactive.is_active = false;
        app.put_contract_division(&inactive).await;
        let answer = fixture.create(&app).await;
        answer.assert_created(&created(&fixture, &answer));
    }

    async fn d05_nothing_wrong(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let request = fixture.create_request(&app).header("x-request-id", "a-request-that-is-audited");
        let answer = request.json(&fixture.change()).send().await;
        let record = created(&fixture, &answer);
        answer.assert_created(&record);

        let mut active = active_contract_divisions(&app).await;
        active.retain(|stored| stored.id != fixture.record.id);
        let [stored] = active.as_slice() else { panic!("{active:?}") };
        assert_eq!(shown(stored), record);
        let row = AuditRow {
            actor_id: fixture.stored_token.user_id,
            resource: "contract_divisions".to_owned(),
            action: "INSERT".to_owned(),
            before: None,
            after: Some(record.clone()),
            request_id: Some("a-request-that-is-audited".to_owned()),
        };
        assert_eq!(app.audit().rows(stored.id).await, [row]);
        // What is shown afterwards is equal.
        let reader = fixture.with_scope(&app, READ).await;
        let show = app.request(reqwest::Method::GET, &update_path(record["id"].as_str().unwrap()));
        show.api_key(&reader.api_key).token(&reader.token).send().await.assert_data(&record);
    }

    async fn d05_audit_cannot_be_written(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        app.audit().break_writing().await;
        for _ in 0..2 {
            assert_eq!(marked(&app, &fixture).send().await.status, 500);
        }
        fixture.create(&app).await.assert_internal();
        assert_nothing_created(&app, &fixture).await;
    }

    async fn d06_twice_under_one_key(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let first = marked(&app, &fixture).send().await;
        assert_eq!((first.status.as_u16(), &first.body["data"]), (201, &created(&fixture, &first)));
        app.clock.set(app.in_seconds(60));
        let again = marked(&app, &fixture).send().await;
        assert_eq!((again.status.as_u16(), &again.body["data"]), (201, &first.body["data"]));
        assert_eq!(again.body["meta"]["idempotency_key"], "one");
        assert_eq!(active_contract_divisions(&app).await.len(), 2);

        // Another request under the key, the key with another operation, and the request without it.
        let other = change(&fixture.contracts[1], &fixture.divisions[0]);
        let reused = fixture.create_request(&app).header(KEY, "one").json(&other).send().await;
        assert_eq!(reused.status, 409, "{:#}", reused.body);
        assert_eq!(reused.body["error"]["message"], "The idempotency key was used for another request");
        let update = fixture.request(&app).header(KEY, "one").json(&other).send().await;
        assert_eq!(update.status, 200, "{:#}", update.body);
        fixture.create(&app).await.assert_error_at(409, "request_conflict", PAIR_TAKEN, "$.division_id");

        // The record is deleted: the first answer stays.
        let path = update_path(first.body["data"]["id"].as_str().unwrap());
        assert_eq!(fixture.delete_request(&app, &path).send().await.status, 200);
        let again = marked(&app, &fixture).send().await;
        assert_eq!((again.status.as_u16(), &again.body["data"]), (201, &first.body["data"]));
        assert_eq!(active_contract_divisions(&app).await.len(), 1);
    }

    async fn d06_many_times_at_once_under_one_key(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let requests: Vec<_> = (0..16).map(|_| tokio::spawn(marked(&app, &fixture).send())).collect();
        let mut answers = Vec::new();
        for request in requests {
            let answer = request.await.unwrap();
            assert_eq!(answer.status, 201, "{:#}", answer.body);
            answers.push(answer.body["data"].clone());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        let active = active_contract_divisions(&app).await;
        assert_eq!(active.len(), 2);
        assert!(active.iter().any(|record| shown(record) == answers[0]), "{active:?}");
    }

    async fn d06_a_refused_create_leaves_its_key_free(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let taken = change(&fixture.contracts[0], &fixture.divisions[0]);
        let refused = fixture.create_request(&app).header(KEY, "one").json(&taken).send().await;
        assert_eq!(refused.status, 409);
        assert_eq!(marked(&app, &fixture).send().await.status, 201);
    }

    async fn d13_two_things_wrong(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let token = fixture.issue(&app, |token| token.scope = Scope::parse("")).await;
        let request = app.request(reqwest::Method::POST, esoz_tests::CONTRACT_DIVISIONS);
        let request = request.api_key(&fixture.api_key).token(&token).body("{broken");
        request.send().await.assert_error(403, "forbidden", MISSING);

        let answer = create(&app, &fixture, &json!({"division_id": fresh().to_string()})).await;
        answer.assert_faults(&[("$.contract_id", "required")]);

        let nothing = json!({"division_id": fresh().to_string(), "contract_id": fresh().to_string()});
        create(&app, &fixture, &nothing).await.assert_error_at(404, "not_found", NO_DIVISION, "$.division_id");
        assert_nothing_created(&app, &fixture).await;
    }
}
