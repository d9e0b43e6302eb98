//! Everybody who may not use the methods of contract divisions. They have no owner: they are the National Health Service's, and whoever's
//! token and api key both hold the scope may use every record. What another organisation lacks is that scope.

use esoz_auth::{NewApiKey, Scope};
use esoz_testkit::builders::{client, fresh, legal_entity, secret};
use esoz_tests::{TestApp, UpdateFixture, client_of};

use crate::attempts::{Attempt, bearer, forbidden, scopes_without, unauthenticated, worthless_tokens};
use crate::table::Protected;

const NO_API_KEY: &str = "Api key is not set";
const INVALID_API_KEY: &str = "Invalid api key";

/// Every way of not being allowed to use a route on the fixture's record.
pub(crate) async fn attempts(app: &TestApp, fixture: &UpdateFixture, route: &Protected) -> Vec<Attempt> {
    let allowance = route.operation.scope;
    let path = |id: &str| route.path.replace("{id}", id);
    let (there, not_there) = (path(&fixture.record.id.to_string()), path(&fresh().to_string()));
    let attempt = |what, api_key: Option<String>, authorization: Option<String>, refusal| Attempt {
        what,
        headers: [("api-key", api_key), ("authorization", authorization)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
        there: there.clone(),
        not_there: not_there.clone(),
        refusal,
        before_body: true,
    };
    let (good_key, good_token) = (fixture.api_key.expose().to_owned(), bearer(&fixture.token));
    let mut attempts = Vec::new();
    for (what, api_key, message) in worthless_keys(app, fixture).await {
        let refusal = unauthenticated(message);
        attempts.push(attempt(what, api_key.clone(), Some(good_token.clone()), refusal.clone()));
        // The api key comes first, whatever the token is.
        attempts.push(attempt(what, api_key, None, refusal));
    }
    for (what, authorization, message) in worthless_tokens(app, &fixture.stored_token, &fixture.api_key).await
    {
        attempts.push(attempt(what, Some(good_key.clone()), authorization, unauthenticated(message)));
    }
    for (what, scope) in scopes_without(allowance) {
        let token = bearer(&fixture.issue(app, |token| token.scope = scope.clone()).await);
        let key = key_with(app, fixture, scope).await;
        attempts.push(attempt(what, Some(good_key.clone()), Some(token.clone()), forbidden(allowance)));
        attempts.push(attempt(what, Some(key.clone()), Some(good_token.clone()), forbidden(allowance)));
        attempts.push(attempt(what, Some(key), Some(token), forbidden(allowance)));
    }
    // The organisation whose place the record names, with the scope that such organisations have, and another one.
    let another = legal_entity();
    app.put_legal_entity(&another).await;
    for (what, organisation) in
        [("the contractor itself", &fixture.clinic), ("another organisation", &another)]
    {
        let change = |token: &mut esoz_auth::NewAccessToken| {
            token.client_id = client_of(organisation.facts.id);
            token.scope = Scope::parse("device_dispense:stop device_dispense:read");
        };
        let token = bearer(&fixture.issue(app, change).await);
        attempts.push(attempt(what, Some(good_key.clone()), Some(token), forbidden(allowance)));
    }
    attempts
}

/// Every api key that proves nothing: what it is, itself if it is there at all, and the message that refuses it.
async fn worthless_keys(
    app: &TestApp,
    fixture: &UpdateFixture,
) -> Vec<(&'static str, Option<String>, &'static str)> {
    let credentials = &app.stores.credentials;
    let add = async |stored: NewApiKey| {
        let key = secret();
        credentials.add_api_key(&NewApiKey { digest: key.digest(), ..stored }).await.unwrap();
        key
    };
    let revoked = add(fixture.stored_api_key.clone()).await;
    assert!(credentials.revoke_api_key(&revoked.digest(), app.in_seconds(0)).await.unwrap());
    let blocked_client = client();
    let blocked = add(NewApiKey { client_id: blocked_client, ..fixture.stored_api_key.clone() }).await;
    credentials.set_client_blocked(blocked_client, true).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    vec![
        ("no api key", None, NO_API_KEY),
        ("an empty api key", text("  "), NO_API_KEY),
        ("an unknown api key", text(secret().expose()), INVALID_API_KEY),
        ("an api key and more", Some(format!("{}x", fixture.api_key.expose())), INVALID_API_KEY),
        ("SQL as api key", text("' OR '1'='1"), INVALID_API_KEY),
        ("a token as api key", text(fixture.token.expose()), INVALID_API_KEY),
        ("a revoked api key", text(revoked.expose()), INVALID_API_KEY),
        ("an api key of a blocked client", text(blocked.expose()), INVALID_API_KEY),
    ]
}

async fn key_with(app: &TestApp, fixture: &UpdateFixture, scope: Scope) -> String {
    let key = secret();
    let stored = NewApiKey { digest: key.digest(), scope, ..fixture.stored_api_key.clone() };
    app.stores.credentials.add_api_key(&stored).await.unwrap();
    key.expose().to_owned()
}
