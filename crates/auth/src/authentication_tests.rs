//! Authentication on mocked ports: which failure is which answer. What makes facts good enough is tested where it is decided.

use esoz_kernel::{ClientId, ErrorKind, Failure as _, StoreErrorKind, Timestamp, UserId, Uuid};
use pollster::block_on;

use super::*;
use crate::{ApiKeyFacts, MockAccessTokens, MockApiKeys, Scope, TokenFacts, TokenKind};

const USER: UserId = UserId::new(Uuid::from_u128(1));
const CLIENT: ClientId = ClientId::new(Uuid::from_u128(2));

/// The second that the clock shows.
const NOW: i64 = 1_000;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }
}

fn secret() -> Secret {
    Secret::new("a secret")
}

fn scope() -> Scope {
    Scope::parse("a:read")
}

fn token_facts() -> TokenFacts {
    TokenFacts {
        digest: secret().digest(),
        kind: TokenKind::Access,
        user_id: USER,
        client_id: CLIENT,
        scope: scope(),
        expires_at: Timestamp::from_second(NOW + 1).unwrap(),
        is_revoked: false,
        is_user_blocked: false,
        is_client_blocked: false,
    }
}

fn key_facts() -> ApiKeyFacts {
    ApiKeyFacts {
        digest: secret().digest(),
        client_id: CLIENT,
        scope: scope(),
        is_revoked: false,
        is_client_blocked: false,
    }
}

fn authentication(tokens: MockAccessTokens, api_keys: MockApiKeys) -> Authentication {
    Authentication::new(Arc::new(tokens), Arc::new(api_keys), Arc::new(FixedClock))
}

/// Presents the secret as a token to a store that answers so.
fn token(answer: Result<Option<TokenFacts>, StoreError>) -> Result<Principal, AuthError> {
    let mut tokens = MockAccessTokens::new();
    tokens.expect_find().withf(|presented| presented.expose() == "a secret").times(1).return_once(|_| answer);
    block_on(authentication(tokens, MockApiKeys::new()).token(Some(secret())))
}

/// Presents the secret as an api key to a store that answers so.
fn api_key(answer: Result<Option<ApiKeyFacts>, StoreError>) -> Result<ApiKeyHolder, AuthError> {
    let mut api_keys = MockApiKeys::new();
    api_keys
        .expect_find()
        .withf(|presented| presented.expose() == "a secret")
        .times(1)
        .return_once(|_| answer);
    block_on(authentication(MockAccessTokens::new(), api_keys).api_key(Some(secret())))
}

fn assert_unauthenticated<T: std::fmt::Debug>(result: Result<T, AuthError>, text: &str, case: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unauthenticated, text), "{case}");
}

#[test]
fn given_nothing_presented_then_no_store_is_asked() {
    let authentication = authentication(MockAccessTokens::new(), MockApiKeys::new());
    let no_token = "Authorization header is not set or doesn't contain Bearer token";
    assert_unauthenticated(block_on(authentication.token(None)), no_token, "S01");
    assert_unauthenticated(block_on(authentication.api_key(None)), "Api key is not set", "U01");
}

#[test]
fn given_an_invalid_token_then_the_answer_does_not_say_why() {
    let now = Timestamp::from_second(NOW).unwrap();
    for (case, facts) in [
        ("unknown", None),
        ("expires now", Some(TokenFacts { expires_at: now, ..token_facts() })),
        ("revoked", Some(TokenFacts { is_revoked: true, ..token_facts() })),
        ("user blocked", Some(TokenFacts { is_user_blocked: true, ..token_facts() })),
        ("client blocked", Some(TokenFacts { is_client_blocked: true, ..token_facts() })),
        ("another kind", Some(TokenFacts { kind: TokenKind::Other, ..token_facts() })),
        ("another's", Some(TokenFacts { digest: Secret::new("another").digest(), ..token_facts() })),
    ] {
        let error = token(Ok(facts)).unwrap_err();
        let answer = (error.kind(), error.to_string());
        assert_eq!(answer, (ErrorKind::InvalidToken, "Invalid access token".to_owned()), "{case}");
    }
}

#[test]
fn given_an_invalid_api_key_then_the_answer_does_not_say_why() {
    for (case, facts) in [
        ("unknown", None),
        ("revoked", Some(ApiKeyFacts { is_revoked: true, ..key_facts() })),
        ("client blocked", Some(ApiKeyFacts { is_client_blocked: true, ..key_facts() })),
        ("another's", Some(ApiKeyFacts { digest: Secret::new("another").digest(), ..key_facts() })),
    ] {
        assert_unauthenticated(api_key(Ok(facts)), "Invalid api key", case);
    }
}

#[test]
fn given_a_valid_token_then_it_proves_user_client_and_scope() {
    let expected = Principal { user_id: USER, client_id: CLIENT, scope: scope() };
    assert_eq!(token(Ok(Some(token_facts()))).unwrap(), expected);
}

#[test]
fn given_a_valid_api_key_then_it_proves_client_and_scope() {
    let expected = ApiKeyHolder { client_id: CLIENT, scope: scope() };
    assert_eq!(api_key(Ok(Some(key_facts()))).unwrap(), expected);
}

#[test]
fn given_a_store_that_fails_then_nobody_is_let_in_and_the_failure_is_passed_on() {
    for (kind, expected) in [
        (StoreErrorKind::Unavailable, ErrorKind::Unavailable),
        (StoreErrorKind::Conflict, ErrorKind::Unavailable),
        (StoreErrorKind::Corrupt, ErrorKind::Internal),
        (StoreErrorKind::Unexpected, ErrorKind::Internal),
    ] {
        let failure = || StoreError::new(kind, "testing");
        for error in [token(Err(failure())).unwrap_err(), api_key(Err(failure())).unwrap_err()] {
            assert_eq!(error.kind(), expected, "{kind:?}");
            let AuthError::Store(cause) = error else { panic!("{error:?}") };
            assert_eq!(StoreError::kind(&cause), kind);
        }
    }
}
