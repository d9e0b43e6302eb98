//! Everybody who may not record a device dispense.
//!
//! Whether a patient exists is told to every active organisation with the scope: rule 5 comes before the rules that look at who asks. Whether a
//! patient who exists has a device request is told to the performer's own user and organisation alone.

use esoz_auth::{NewAccessToken, Scope};
use esoz_kernel::PatientId;
use esoz_legal_entity::LegalEntityStatus;
use esoz_testkit::builders::{fresh, legal_entity, person, secret, user};
use esoz_tests::{CreateFixture, TestApp, client_of, dispenses_path};

use crate::attempts::{
    Attempt, Refusal, bearer, forbidden, scopes_without, unauthenticated, worthless_tokens,
};
use crate::dispenses::not_active;
use crate::table::Protected;

const NOT_THE_USERS: Refusal =
    Refusal::Entry("$.performer", "User is not allowed to create device dispense for the performer");
const NOT_THE_ORGANISATIONS: Refusal =
    Refusal::Entry("$.performer", "Employee does not belong to legal entity from token");

/// Every way of not being allowed to record the fixture's dispense.
pub(crate) async fn attempts(app: &TestApp, fixture: &CreateFixture, route: &Protected) -> Vec<Attempt> {
    let allowance = route.operation.scope;
    let (there, unknown) = (fixture.path(), dispenses_path(&fresh().to_string()));
    let attempt = |what, authorization: Option<String>, refusal, before_body| Attempt {
        what,
        headers: authorization.map(|value| ("authorization", value)).into_iter().collect(),
        there: there.clone(),
        not_there: unknown.clone(),
        refusal,
        before_body,
    };
    let mut attempts: Vec<Attempt> = worthless_tokens(app, &fixture.stored_token, &secret())
        .await
        .into_iter()
        .map(|(what, value, message)| attempt(what, value, unauthenticated(message), true))
        .collect();
    for (what, scope) in scopes_without(allowance) {
        let token = fixture.issue(app, |token| token.scope = scope.clone()).await;
        attempts.push(attempt(what, Some(bearer(&token)), forbidden(allowance), true));
    }
    let only_scope = |token: &mut NewAccessToken| token.scope = Scope::parse(allowance);
    for (what, status) in [
        ("a suspended organisation", LegalEntityStatus::Suspended),
        ("a closed organisation", LegalEntityStatus::Closed),
        ("a reorganized organisation", LegalEntityStatus::Reorganized),
    ] {
        let mut record = legal_entity();
        record.facts.status = status;
        app.put_legal_entity(&record).await;
        let change = |token: &mut NewAccessToken| {
            only_scope(token);
            token.client_id = client_of(record.facts.id);
        };
        let token = fixture.issue(app, change).await;
        attempts.push(attempt(what, Some(bearer(&token)), not_active(), false));
    }

    // A patient who exists, and of whom there is no request.
    let other = PatientId::new(fresh());
    let mut record = person();
    record.subject = app.pseudonym_of(other);
    app.put_record(&record).await;
    let without_request = dispenses_path(&other.uuid().to_string());
    let stranger = |token: &mut NewAccessToken| {
        only_scope(token);
        token.user_id = user();
    };
    let colleague = fixture.issue(app, stranger).await;
    let elsewhere = client_of(fixture.another.facts.id);
    let another_pharmacy = fixture.issue(app, |token| {
        stranger(token);
        token.client_id = elsewhere;
    });
    let another_pharmacy = another_pharmacy.await;
    let at_another = fixture.issue(app, |token| {
        only_scope(token);
        token.client_id = elsewhere;
    });
    for (what, token, refusal) in [
        ("a colleague", colleague, NOT_THE_USERS),
        ("another pharmacy", another_pharmacy, NOT_THE_USERS),
        ("the performer, for another pharmacy", at_another.await, NOT_THE_ORGANISATIONS),
    ] {
        let not_there = without_request.clone();
        attempts.push(Attempt { not_there, ..attempt(what, Some(bearer(&token)), refusal, false) });
    }
    attempts
}
