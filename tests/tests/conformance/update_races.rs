//! U21 to U23: others change things at the same time.

use std::sync::Arc;

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractDivisions, Refusal, Write};
use esoz_kernel::{StoreError, Written};
use esoz_testkit::builders::contract_division;
use esoz_testkit::doubles::{ContractDivisionsDouble, Double};
use esoz_tests::{Answer, Setup, TestApp, UpdateFixture, change, on_every_store, update_path};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

use crate::update::PAIR_TAKEN;

const AT_ONCE: usize = 32;

/// Lets something happen between the request and its write, which is the check as well: holds every update back.
struct Held {
    inner: Arc<dyn ContractDivisions>,
    offered: Arc<Notify>,
    go_on: Arc<Semaphore>,
}

#[async_trait]
impl ContractDivisionsDouble for Held {
    fn inner(&self) -> &dyn ContractDivisions {
        &*self.inner
    }

    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> {
        self.offered.notify_one();
        // Never closed.
        drop(self.go_on.acquire().await);
        self.inner.write(write).await
    }
}

/// Sends the update, lets `meanwhile` happen before it is written, and gives the answer.
async fn interrupted(
    kind: esoz_tests::Kind,
    meanwhile: impl AsyncFnOnce(&TestApp, &UpdateFixture),
) -> (TestApp, UpdateFixture, Answer) {
    let (offered, go_on) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (in_offered, in_go_on) = (offered.clone(), go_on.clone());
    let setup = Setup::new(kind).replace(move |parts| {
        let inner = parts.stores.contract_divisions.clone();
        parts.stores.contract_divisions =
            Arc::new(Double(Held { inner, offered: in_offered, go_on: in_go_on }));
    });
    let app = setup.start().await;
    let fixture = UpdateFixture::load(&app).await;
    let request = tokio::spawn(fixture.request(&app).json(&fixture.change()).send());
    offered.notified().await;
    meanwhile(&app, &fixture).await;
    go_on.add_permits(1);
    let answer = request.await.unwrap();
    (app, fixture, answer)
}

on_every_store! {
    async fn u21_division_deactivated_meanwhile(kind) {
        let (app, fixture, answer) = interrupted(kind, async |app, fixture| {
            let mut division = fixture.divisions[1].clone();
            division.facts.is_active = false;
            app.put_division(&division).await;
        })
        .await;
        answer.assert_error_at(404, "not_found", "Division is not found", "$.division_id");
        fixture.assert_untouched(&app).await;
    }

    async fn u21_new_contract_deactivated_meanwhile(kind) {
        let (app, fixture, answer) = interrupted(kind, async |app, fixture| {
            let mut contract = fixture.contracts[1].clone();
            contract.facts.is_active = false;
            app.put_contract(&contract).await;
        })
        .await;
        let message = "Contract must be an active and with GB_CBP type";
        answer.assert_error_at(409, "request_conflict", message, "$.contract_id");
        fixture.assert_untouched(&app).await;
    }

    async fn u21_current_contract_deactivated_meanwhile(kind) {
        let (app, fixture, answer) = interrupted(kind, async |app, fixture| {
            let mut contract = fixture.contracts[0].clone();
            contract.facts.is_active = false;
            app.put_contract(&contract).await;
        })
        .await;
        answer.assert_conflict("Only contract divisions for contract with type GB_CBP can be updated");
        fixture.assert_untouched(&app).await;
    }

    async fn u21_pair_taken_meanwhile(kind) {
        let (app, fixture, answer) = interrupted(kind, async |app, fixture| {
            let taken = contract_division(fixture.contracts[1].facts.id, fixture.divisions[1].facts.id);
            app.put_contract_division(&taken).await;
        })
        .await;
        answer.assert_error_at(409, "request_conflict", PAIR_TAKEN, "$.division_id");
        fixture.assert_untouched(&app).await;
    }

    async fn u22_many_updates_of_one_record(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let bodies: Vec<_> = fixture
            .contracts
            .iter()
            .flat_map(|contract| fixture.divisions.iter().map(move |division| change(contract, division)))
            .collect();
        let requests: Vec<_> = bodies
            .iter()
            .cycle()
            .take(AT_ONCE)
            .map(|body| tokio::spawn(fixture.request(&app).json(body).send()))
            .collect();
        for request in requests {
            let answer = request.await.unwrap();
            assert_eq!(answer.status, 200, "{:#}", answer.body);
        }
        let updates = app.audit().rows(fixture.record.id).await.into_iter().filter(|row| row.action == "UPDATE");
        assert_eq!(updates.count(), AT_ONCE);
        let stored = fixture.stored(&app).await;
        let last =
            json!({"division_id": stored.division_id.to_string(), "contract_id": stored.contract_id.to_string()});
        assert!(bodies.contains(&last), "{last}");
    }

    async fn u23_two_records_to_the_same_pair(kind) {
        let app = TestApp::new(kind).await;
        for _ in 0..10 {
            let fixture = UpdateFixture::load(&app).await;
            let second = contract_division(fixture.contracts[0].facts.id, fixture.divisions[1].facts.id);
            app.put_contract_division(&second).await;
            let to_second = fixture.request_to(&app, &update_path(&second.id.to_string()));
            let first = tokio::spawn(fixture.request(&app).json(&fixture.change()).send());
            let other = tokio::spawn(to_second.json(&fixture.change()).send());
            let (first, other) = (first.await.unwrap(), other.await.unwrap());
            let (won, lost) = if first.status == 200 { (first, other) } else { (other, first) };
            assert_eq!(won.status, 200, "{:#}", won.body);
            lost.assert_error_at(409, "request_conflict", PAIR_TAKEN, "$.division_id");
        }
    }
}
