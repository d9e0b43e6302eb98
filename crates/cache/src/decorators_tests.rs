//! Each decorator is its port, asks the one behind it once, and lets through what must not be remembered.

use std::time::Duration;

use esoz_auth::{MockAccessTokens, MockApiKeys, Scope, TokenKind, token};
use esoz_kernel::{ClientId, StoreErrorKind, Timestamp, UserId, Uuid};
use esoz_legal_entity::{LegalEntityStatus, LegalEntityType, MockLegalEntities};
use pollster::block_on;

use super::*;

const LIMITS: CacheLimits = CacheLimits { ttl: Duration::from_hours(1), max_entries: 10 };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn token_facts(secret: &Secret) -> TokenFacts {
    TokenFacts {
        digest: secret.digest(),
        kind: TokenKind::Access,
        user_id: UserId::new(Uuid::from_u128(1)),
        client_id: ClientId::new(Uuid::from_u128(2)),
        scope: Scope::parse("a:read"),
        expires_at: at(1_000),
        is_revoked: false,
        is_user_blocked: false,
        is_client_blocked: false,
    }
}

fn key_facts(secret: &Secret) -> ApiKeyFacts {
    ApiKeyFacts {
        digest: secret.digest(),
        client_id: ClientId::new(Uuid::from_u128(2)),
        scope: Scope::parse("a:read"),
        is_revoked: false,
        is_client_blocked: false,
    }
}

#[test]
fn a_token_is_looked_up_once_and_its_expiry_still_decided_each_time() {
    let mut inner = MockAccessTokens::new();
    inner.expect_find().times(1).returning(|secret| Ok(Some(token_facts(secret))));
    let cached = CachedAccessTokens::new(Arc::new(inner), LIMITS);
    let secret = Secret::new("a token");
    let find = || block_on(cached.find(&secret)).unwrap();
    assert_eq!(find(), Some(token_facts(&secret)));
    assert!(token::verify(&secret, find(), at(999)).is_ok());
    assert!(token::verify(&secret, find(), at(1_000)).is_err());
    assert_eq!(cached.stats(), CacheStats { hits: 2, misses: 1 });
}

#[test]
fn two_tokens_are_two_entries() {
    let mut inner = MockAccessTokens::new();
    inner.expect_find().times(2).returning(|secret| Ok(Some(token_facts(secret))));
    let cached = CachedAccessTokens::new(Arc::new(inner), LIMITS);
    for _ in 0..2 {
        for secret in [Secret::new("one"), Secret::new("two")] {
            assert_eq!(block_on(cached.find(&secret)).unwrap(), Some(token_facts(&secret)));
        }
    }
}

#[test]
fn an_unknown_token_is_asked_for_each_time_and_works_as_soon_as_it_exists() {
    let mut inner = MockAccessTokens::new();
    let mut asked = 0;
    inner.expect_find().times(3).returning(move |secret| {
        asked += 1;
        Ok((asked > 2).then(|| token_facts(secret)))
    });
    let cached = CachedAccessTokens::new(Arc::new(inner), LIMITS);
    let found = [(); 4].map(|()| block_on(cached.find(&Secret::new("a token"))).unwrap().is_some());
    assert_eq!(found, [false, false, true, true]);
}

#[test]
fn an_api_key_is_looked_up_once_and_a_failure_not_remembered() {
    let mut inner = MockApiKeys::new();
    let mut asked = 0;
    inner.expect_find().times(2).returning(move |secret| {
        asked += 1;
        if asked == 1 {
            Err(StoreError::new(StoreErrorKind::Unavailable, "testing"))
        } else {
            Ok(Some(key_facts(secret)))
        }
    });
    let cached = CachedApiKeys::new(Arc::new(inner), LIMITS);
    let secret = Secret::new("a key");
    assert!(block_on(cached.find(&secret)).is_err());
    for _ in 0..2 {
        assert_eq!(block_on(cached.find(&secret)).unwrap(), Some(key_facts(&secret)));
    }
    assert_eq!(cached.stats(), CacheStats { hits: 1, misses: 2 });
}

#[test]
fn a_legal_entity_is_looked_up_once() {
    let pharmacy = LegalEntity {
        id: LegalEntityId::new(Uuid::from_u128(7)),
        kind: LegalEntityType::new("PHARMACY"),
        status: LegalEntityStatus::Active,
    };
    let stored = pharmacy.clone();
    let mut inner = MockLegalEntities::new();
    inner.expect_find().times(1).returning(move |_| Ok(Some(stored.clone())));
    let cached = CachedLegalEntities::new(Arc::new(inner), LIMITS);
    for _ in 0..2 {
        assert_eq!(block_on(cached.find(pharmacy.id)).unwrap(), Some(pharmacy.clone()));
    }
    assert_eq!(cached.stats(), CacheStats { hits: 1, misses: 1 });
}
