//! D04 and D11: creates, updates and deletes of contract divisions at the same time.

use esoz_contract_division::{ContractDivision, DivisionRecord, Filter, Visibility};
use esoz_kernel::{PageRequest, Put};
use esoz_testkit::builders::{contract_division, division_of, user};
use esoz_tests::{TestApp, UpdateFixture, active_contract_divisions, change, on_every_store, update_path};
use reqwest::Method;
use serde_json::{Value, json};

use crate::create_contract_division::created;
use crate::rounds::{ROUNDS, both_sent, rounds};
use crate::show_contract_division::{NOT_FOUND, shown};
use crate::update::PAIR_TAKEN;

const AT_ONCE: usize = 32;

/// As many records of the fixture's first contract as there are rounds, each of a division of its own.
async fn records(app: &TestApp, fixture: &UpdateFixture) -> Vec<(ContractDivision, DivisionRecord)> {
    let divisions: Vec<_> = (0..ROUNDS).map(|_| division_of(fixture.clinic.facts.id)).collect();
    let contract = fixture.contracts[0].facts.id;
    let records: Vec<_> =
        divisions.iter().map(|division| contract_division(contract, division.facts.id)).collect();
    let registry = &app.stores.contract_registry;
    registry.put_divisions(&divisions).await.unwrap();
    let put = registry.put_contract_divisions(&records).await.unwrap();
    assert_eq!(put, vec![Put::Created; ROUNDS]);
    records.into_iter().zip(divisions).collect()
}

on_every_store! {
    async fn d04_many_creates_of_one_pair(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let requests: Vec<_> = (0..AT_ONCE)
            .map(|_| tokio::spawn(fixture.create_request(&app).json(&fixture.change()).send()))
            .collect();
        let mut won = Vec::new();
        for request in requests {
            let answer = request.await.unwrap();
            if answer.status == 201 {
                answer.assert_created(&created(&fixture, &answer));
                won.push(answer.body["data"].clone());
            } else {
                answer.assert_error_at(409, "request_conflict", PAIR_TAKEN, "$.division_id");
            }
        }
        assert_eq!(won.len(), 1, "{won:?}");
        let mut active = active_contract_divisions(&app).await;
        active.retain(|record| record.id != fixture.record.id);
        assert_eq!(active.iter().map(shown).collect::<Vec<_>>(), won);
    }

    async fn d11_update_and_delete_of_one_record(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let deleter = user();
        let token = fixture.issue(&app, |token| token.user_id = deleter).await;
        let records = records(&app, &fixture).await;
        rounds(&records, async |round, (record, division)| {
            let path = update_path(&record.id.to_string());
            let update = fixture.request_to(&app, &path).json(&change(&fixture.contracts[1], division));
            let delete = app.request(Method::DELETE, &path).api_key(&fixture.api_key).token(&token);
            let [updated, deleted] = both_sent(round, update, delete).await;
            deleted.assert_data(&json!({}));
            let is_updated = updated.status == 200;
            if !is_updated {
                updated.assert_error(404, "not_found", NOT_FOUND);
            }
            let after = app.stores.contract_divisions.find(record.id).await.unwrap().unwrap().record;
            let contract = &fixture.contracts[usize::from(is_updated)];
            assert_eq!((after.is_active, after.contract_id), (false, contract.facts.id));
            assert_eq!(after.stamps.updated_by, deleter, "an update after the delete");
        })
        .await;
        assert_eq!(active_contract_divisions(&app).await, [fixture.record]);
    }

    async fn d11_create_and_delete_of_one_pair(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let records = records(&app, &fixture).await;
        rounds(&records, async |round, (record, division)| {
            let create = fixture.create_request(&app).json(&change(&fixture.contracts[0], division));
            let delete = fixture.delete_request(&app, &update_path(&record.id.to_string()));
            let [created, deleted] = both_sent(round, create, delete).await;
            deleted.assert_data(&json!({}));
            let is_created = created.status == 201;
            if !is_created {
                created.assert_error_at(409, "request_conflict", PAIR_TAKEN, "$.division_id");
            }
            let of_division = Filter {
                id: None,
                contract_id: None,
                division_id: Some(division.facts.id),
                visibility: Visibility::SHOWN,
            };
            let active = app.stores.contract_divisions.list(&of_division, PageRequest::FIRST).await.unwrap();
            let expected: Vec<Value> = is_created.then(|| created.body["data"].clone()).into_iter().collect();
            let active = active.items.iter().map(|record| shown(record.as_ref().unwrap()));
            assert_eq!(active.collect::<Vec<_>>(), expected);
        })
        .await;
    }
}
