//! Everybody who may not use the methods of device dispenses.

use esoz_auth::{NewAccessToken, Scope};
use esoz_kernel::{DispenseId, LegalEntityId, PatientId, UserId};
use esoz_legal_entity::{LegalEntity, LegalEntityRecord, LegalEntityStatus};
use esoz_testkit::builders::{fresh, legal_entity, secret, user};
use esoz_tests::{Answer, StopFixture, TestApp, client_of, on_every_store, stop_path};

use crate::attempts::{
    Attempt, Refusal, bearer, forbidden, scopes_without, unauthenticated, worthless_tokens,
};
use crate::refused::assert_same;
use crate::table::Protected;

/// The refusal of a legal entity that may not act.
pub(crate) fn not_active() -> Refusal {
    Refusal::Error(409, "request_conflict", "client_id refers to legal entity that is not active".to_owned())
}

/// The refusal of what is not there, or not for the caller.
pub(crate) fn not_found() -> Refusal {
    Refusal::Error(404, "not_found", "not_found".to_owned())
}

/// Every way of not being allowed to use a route on the fixture's dispense. `hidden` answers a stranger, `inactive` one who may not act.
pub(crate) async fn attempts(
    app: &TestApp,
    fixture: &StopFixture,
    route: &Protected,
    hidden: Refusal,
    inactive: Refusal,
) -> Vec<Attempt> {
    let allowance = route.operation.scope;
    let path = |patient: &str, id: &str| route.path.replace("{patient_id}", patient).replace("{id}", id);
    let (patient, id) = (fixture.patient.uuid().to_string(), fixture.dispense.id.to_string());
    let there = path(&patient, &id);
    // Of a list it is the patient who is not there.
    let not_there = if route.path.contains("{id}") {
        path(&patient, &fresh().to_string())
    } else {
        path(&fresh().to_string(), "")
    };
    let attempt = |what, authorization: Option<String>, refusal, before_body| Attempt {
        what,
        headers: authorization.map(|value| ("authorization", value)).into_iter().collect(),
        there: there.clone(),
        not_there: not_there.clone(),
        refusal,
        before_body,
    };
    let api_key = esoz_testkit::builders::secret();
    let mut attempts: Vec<Attempt> = worthless_tokens(app, &fixture.stored_token, &api_key)
        .await
        .into_iter()
        .map(|(what, value, message)| attempt(what, value, unauthenticated(message), true))
        .collect();
    for (what, scope) in scopes_without(allowance) {
        let token = fixture.issue(app, |token| token.scope = scope.clone()).await;
        attempts.push(attempt(what, Some(bearer(&token)), forbidden(allowance), true));
    }
    // The same person, who signs for each of them.
    let person = fixture.stored_token.user_id;
    let stranger = token_as(app, person, &active(app).await, allowance).await;
    attempts.push(attempt("another pharmacy", Some(stranger.clone()), hidden.clone(), false));
    for (what, status) in [
        ("a suspended organisation", LegalEntityStatus::Suspended),
        ("a closed organisation", LegalEntityStatus::Closed),
        ("a reorganized organisation", LegalEntityStatus::Reorganized),
    ] {
        let record = legal_entity();
        let record = LegalEntityRecord { facts: LegalEntity { status, ..record.facts }, ..record };
        app.put_legal_entity(&record).await;
        attempts.push(attempt(
            what,
            Some(token_as(app, person, &record, allowance).await),
            inactive.clone(),
            false,
        ));
    }
    let unknown = token_as(app, person, &legal_entity(), allowance).await;
    attempts.push(attempt("an organisation that nobody knows", Some(unknown), inactive.clone(), false));

    // Whose dispense it is counts, and of whom: neither alone is enough.
    let elsewhere = path(&fresh().to_string(), &id);
    if elsewhere == there {
        return attempts;
    }
    let owner = fixture.issue(app, |token| token.scope = Scope::parse(allowance)).await;
    for (what, authorization) in [
        ("the owner, for another patient", bearer(&owner)),
        ("another pharmacy, for another patient", stranger),
    ] {
        let there = elsewhere.clone();
        attempts.push(Attempt { there, ..attempt(what, Some(authorization), hidden.clone(), false) });
    }
    attempts
}

async fn active(app: &TestApp) -> LegalEntityRecord {
    let record = legal_entity();
    app.put_legal_entity(&record).await;
    record
}

/// A valid token of somebody at that organisation, with that allowance.
async fn token_of(app: &TestApp, organisation: &LegalEntityRecord, allowance: &str) -> String {
    token_as(app, user(), organisation, allowance).await
}

/// A valid token of that user at that organisation, with that allowance.
async fn token_as(
    app: &TestApp,
    user_id: UserId,
    organisation: &LegalEntityRecord,
    allowance: &str,
) -> String {
    let token = secret();
    let stored = NewAccessToken {
        digest: token.digest(),
        user_id,
        client_id: client_of(organisation.facts.id),
        scope: Scope::parse(allowance),
        ..esoz_testkit::builders::access_token(&token)
    };
    let stored = NewAccessToken { expires_at: app.in_seconds(3_600), ..stored };
    app.stores.credentials.add_token(&stored).await.unwrap();
    bearer(&token)
}

/// The allowance of the method that keys and statuses matter to.
const STOP: &str = "device_dispense:stop";

/// What a stranger is told about that dispense, in whatever status it is.
async fn told_a_stranger(
    app: &TestApp,
    fixture: &StopFixture,
    stranger: &str,
    id: DispenseId,
    key: Option<&str>,
) -> Answer {
    let path = stop_path(&fixture.patient.uuid().to_string(), &id.to_string());
    let request = app.patch(&path).header("authorization", stranger);
    match key {
        Some(key) => request.header("x-idempotency-key", key).send().await,
        None => request.send().await,
    }
}

on_every_store! {
    async fn what_a_key_answers_to_its_owner_it_tells_no_stranger(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let stranger = token_of(&app, &active(&app).await, STOP).await;
        let key = "one-key-that-two-clients-happen-to-use";
        assert_eq!(fixture.request(&app).header("x-idempotency-key", key).send().await.status, 200);
        app.settled().await;
        let before = app.test_stores.contents().await;
        let (stopped, none) = (fixture.dispense.id, DispenseId::new(fresh()));
        let there = told_a_stranger(&app, &fixture, &stranger, stopped, Some(key)).await;
        let not_there = told_a_stranger(&app, &fixture, &stranger, none, Some(key)).await;
        assert_same("a key of somebody else's", &there, &not_there);
        let without_key = told_a_stranger(&app, &fixture, &stranger, stopped, None).await;
        without_key.assert_not_found();
        assert_eq!(app.test_stores.contents().await, before);
    }

    async fn a_stranger_learns_of_no_dispense_in_whatever_status(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let stranger = token_of(&app, &active(&app).await, STOP).await;
        let mut ids = Vec::new();
        for status in esoz_device_dispense::DispenseStatus::ALL {
            let dispense = fixture.another(&app).status(status).build();
            app.put_dispense(&dispense).await;
            ids.push((status, dispense.id));
        }
        // Of other owners and other patients as well.
        let [owner, patient] = [fresh(), fresh()];
        let pseudonym = app.pseudonym_of(PatientId::new(patient));
        for dispense in
            [fixture.another(&app).owner(LegalEntityId::new(owner)).build(), fixture.another(&app).subject(pseudonym).build()]
        {
            app.put_dispense(&dispense).await;
            ids.push((dispense.status, dispense.id));
        }
        let before = app.test_stores.contents().await;
        let none = told_a_stranger(&app, &fixture, &stranger, DispenseId::new(fresh()), None).await;
        none.assert_not_found();
        for (status, id) in ids {
            let told = told_a_stranger(&app, &fixture, &stranger, id, None).await;
            assert_same(status.as_str(), &told, &none);
        }
        assert_eq!(app.test_stores.contents().await, before);
    }
}
