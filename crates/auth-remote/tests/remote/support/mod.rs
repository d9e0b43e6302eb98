//! Servers, keys and tokens of the tests' own.

pub(crate) mod keys;
pub(crate) mod log;
#[expect(dead_code, reason = "other crates' tests ask other things of it")]
pub(crate) mod server;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use esoz_auth::{AccessTokens, Secret, TokenFacts, token};
use esoz_auth_remote::{JwtAccessTokens, JwtSettings, RemoteServer};
use esoz_kernel::{StoreError, StoreErrorKind, Timestamp};
use esoz_testkit::clock::ManualClock;

pub(crate) use self::{
    keys::{Key, Token},
    log::Log,
    server::{Reply, TestServer},
};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "esoz";
pub(crate) const USER: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const CLIENT: &str = "22222222-2222-4222-8222-222222222222";
pub(crate) const SCOPE: &str = "device_dispense:stop contract_division:update";
/// What every clock shows at first, in seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;
/// Longer than anything takes that is going to happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_second(NOW).unwrap()))
}

pub(crate) fn at(server: &TestServer, path: &str) -> RemoteServer {
    RemoteServer { timeout_ms: 5_000, ..RemoteServer::new(server.url(path)) }
}

/// Checks tokens of the issuer whose keys that server has: keys are due after 100 s, fetched at most every 10 s, and
/// used up to 300 s. No leeway.
pub(crate) fn jwt_settings(server: &TestServer) -> JwtSettings {
    JwtSettings {
        leeway_s: 0,
        refresh_after_s: 100,
        min_refresh_interval_s: 10,
        max_stale_s: 200,
        ..JwtSettings::new(at(server, "/keys"), ISSUER, AUDIENCE)
    }
}

/// The adapter on that issuer, and the clock that it looks at.
pub(crate) fn jwt(server: &TestServer) -> (JwtAccessTokens, Arc<ManualClock>) {
    let clock = clock();
    (JwtAccessTokens::try_new(&jwt_settings(server), clock.clone()).unwrap(), clock)
}

pub(crate) async fn find(tokens: &dyn AccessTokens, token: &str) -> Result<Option<TokenFacts>, StoreError> {
    tokio::time::timeout(DEADLINE, tokens.find(&Secret::new(token))).await.unwrap()
}

/// The facts about a token that must be good.
pub(crate) async fn facts(tokens: &dyn AccessTokens, token: &str) -> TokenFacts {
    find(tokens, token).await.unwrap().unwrap()
}

pub(crate) async fn is_refused(tokens: &dyn AccessTokens, token: &str) -> bool {
    find(tokens, token).await.unwrap().is_none()
}

/// What kind of failure it is; nothing of the token or of what the server said may show.
pub(crate) async fn failure(tokens: &dyn AccessTokens, token: &str) -> StoreErrorKind {
    let error = find(tokens, token).await.unwrap_err();
    let mut told = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        writeln!(told, "{error} {error:?}").unwrap();
        next = error.source();
    }
    assert!(!told.contains(token) && !told.contains("canary"), "{told}");
    error.kind()
}

/// That the facts are those that every server and token of these tests states, and good until `expires_at`.
pub(crate) fn assert_are_the_usual(facts: &TokenFacts, token: &str, expires_at: i64) {
    let presented = Secret::new(token);
    assert_eq!(facts.digest, presented.digest());
    assert_eq!(facts.expires_at, Timestamp::from_second(expires_at).unwrap());
    assert!(!facts.is_revoked && !facts.is_user_blocked && !facts.is_client_blocked);
    let last = Timestamp::from_second(expires_at - 1).unwrap();
    let principal = token::verify(&presented, Some(facts.clone()), last).unwrap();
    assert_eq!(principal.user_id.to_string(), USER);
    assert_eq!(principal.client_id.to_string(), CLIENT);
    assert_eq!(principal.scope, esoz_auth::Scope::parse(SCOPE));
    assert!(token::verify(&presented, Some(facts.clone()), facts.expires_at).is_err());
}
