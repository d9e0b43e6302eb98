//! Everybody who may not read events. They have no owner: whoever holds the scope may read every event that is stored.

use esoz_testkit::builders::{fresh, logged_event, secret};
use esoz_tests::{StopFixture, TestApp};

use crate::attempts::{Attempt, bearer, forbidden, scopes_without, unauthenticated, worthless_tokens};
use crate::table::Protected;

/// Every way of not being allowed to use a route on an event that is stored first.
pub(crate) async fn attempts(app: &TestApp, fixture: &StopFixture, route: &Protected) -> Vec<Attempt> {
    let event = logged_event();
    assert_eq!(app.stores.event_log.store(std::slice::from_ref(&event)).await.unwrap(), 1);
    let path = |id: &str| route.path.replace("{id}", id);
    let (there, not_there) = (path(&event.id.to_string()), path(&fresh().to_string()));
    let attempt = |what, authorization: Option<String>, refusal| Attempt {
        what,
        headers: authorization.map(|value| ("authorization", value)).into_iter().collect(),
        there: there.clone(),
        not_there: not_there.clone(),
        refusal,
        before_body: true,
    };
    let mut attempts: Vec<Attempt> = worthless_tokens(app, &fixture.stored_token, &secret())
        .await
        .into_iter()
        .map(|(what, value, message)| attempt(what, value, unauthenticated(message)))
        .collect();
    let allowance = route.operation.scope;
    for (what, scope) in scopes_without(allowance) {
        let token = fixture.issue(app, |token| token.scope = scope.clone()).await;
        attempts.push(attempt(what, Some(bearer(&token)), forbidden(allowance)));
    }
    attempts
}
