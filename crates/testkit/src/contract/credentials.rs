//! Tokens, api keys and blocks: [`AccessTokens`](esoz_auth::AccessTokens), [`ApiKeys`](esoz_auth::ApiKeys),
//! [`Blocks`](esoz_auth::Blocks), [`Credentials`](esoz_auth::Credentials).

use esoz_auth::{ApiKeyFacts, Blocked, NewAccessToken, NewApiKey, Scope, Secret, TokenFacts, TokenKind};
use esoz_kernel::{ClientId, Timestamp, UserId, time::to_micros};

use super::CredentialStore;
use crate::builders::{access_token, api_key, at_micros, fresh, secret};

fn now() -> Timestamp {
    at_micros(5_000_000)
}

fn token_facts(token: &NewAccessToken) -> TokenFacts {
    TokenFacts {
        digest: token.digest,
        kind: token.kind,
        user_id: token.user_id,
        client_id: token.client_id,
        scope: token.scope.clone(),
        expires_at: to_micros(token.expires_at),
        is_revoked: false,
        is_user_blocked: false,
        is_client_blocked: false,
    }
}

fn key_facts(key: &NewApiKey) -> ApiKeyFacts {
    ApiKeyFacts {
        digest: key.digest,
        client_id: key.client_id,
        scope: key.scope.clone(),
        is_revoked: false,
        is_client_blocked: false,
    }
}

async fn token(store: &CredentialStore, presented: &Secret) -> Option<TokenFacts> {
    store.tokens.find(presented).await.unwrap()
}

async fn key(store: &CredentialStore, presented: &Secret) -> Option<ApiKeyFacts> {
    store.api_keys.find(presented).await.unwrap()
}

async fn added_token(store: &CredentialStore) -> (Secret, NewAccessToken) {
    let secret = secret();
    let token = access_token(&secret);
    store.credentials.add_token(&token).await.unwrap();
    (secret, token)
}

async fn added_key(store: &CredentialStore) -> (Secret, NewApiKey) {
    let secret = secret();
    let key = api_key(&secret);
    store.credentials.add_api_key(&key).await.unwrap();
    (secret, key)
}

/// Nothing there is a value, not an error; whatever is presented.
pub async fn an_unknown_secret_is_none(store: CredentialStore) {
    let (known_token, _) = added_token(&store).await;
    let (known_key, _) = added_key(&store).await;
    let odd = ["", "'; drop table tokens; --", "\u{0}", "ї🙂"].map(Secret::new);
    let long = Secret::new("x".repeat(10_000));
    for unknown in odd.iter().chain([&long, &secret()]) {
        assert_eq!(token(&store, unknown).await, None);
        assert_eq!(key(&store, unknown).await, None);
    }
    assert_eq!(token(&store, &known_key).await, None, "a key is no token");
    assert_eq!(key(&store, &known_token).await, None, "a token is no key");
}

/// Every field of a token comes back, times to the microsecond; also of one that opens nothing.
pub async fn a_token_is_found_as_it_was_added(store: CredentialStore) {
    let to_the_nanosecond: Timestamp = "2026-02-01T00:00:00.123456789Z".parse().unwrap();
    let all = [
        (secret(), TokenKind::Access, "device_dispense:stop  a:read", to_the_nanosecond),
        (secret(), TokenKind::Other, "", at_micros(-1_000_001)),
        (secret(), TokenKind::Access, "one:only", at_micros(1)),
    ]
    .map(|(secret, kind, scope, expires_at)| {
        let scope = Scope::parse(scope);
        let token = NewAccessToken { kind, scope, expires_at, ..access_token(&secret) };
        (secret, token)
    });
    for (_, token) in &all {
        store.credentials.add_token(token).await.unwrap();
    }
    for (secret, added) in &all {
        assert_eq!(token(&store, secret).await, Some(token_facts(added)));
    }
}

/// A token may expire at any time that can be said.
pub async fn a_token_lives_until_the_end_of_time(store: CredentialStore) {
    for expires_at in [Timestamp::MIN, Timestamp::MAX] {
        let secret = secret();
        let added = NewAccessToken { expires_at, ..access_token(&secret) };
        store.credentials.add_token(&added).await.unwrap();
        assert_eq!(token(&store, &secret).await, Some(token_facts(&added)));
    }
}

/// Every field of a key comes back.
pub async fn an_api_key_is_found_as_it_was_added(store: CredentialStore) {
    let (first, added_first) = added_key(&store).await;
    let second = secret();
    let added_second = NewApiKey { scope: Scope::default(), ..api_key(&second) };
    store.credentials.add_api_key(&added_second).await.unwrap();
    assert_eq!(key(&store, &first).await, Some(key_facts(&added_first)));
    assert_eq!(key(&store, &second).await, Some(key_facts(&added_second)));
}

/// A user has several tokens, a client several tokens and keys.
pub async fn users_and_clients_have_several_credentials(store: CredentialStore) {
    let (first, added_first) = added_token(&store).await;
    let second = secret();
    let NewAccessToken { user_id, client_id, .. } = added_first;
    let added_second = NewAccessToken { user_id, client_id, ..access_token(&second) };
    store.credentials.add_token(&added_second).await.unwrap();
    let third = secret();
    let added_third = NewApiKey { client_id, ..api_key(&third) };
    store.credentials.add_api_key(&added_third).await.unwrap();
    assert_eq!(token(&store, &first).await, Some(token_facts(&added_first)));
    assert_eq!(token(&store, &second).await, Some(token_facts(&added_second)));
    assert_eq!(key(&store, &third).await, Some(key_facts(&added_third)));
}

/// The same digest again changes nothing: neither what the token allows, nor that it is revoked.
pub async fn adding_again_changes_nothing(store: CredentialStore) {
    let (token_secret, first) = added_token(&store).await;
    let wider = NewAccessToken { scope: Scope::parse("everything:write"), ..access_token(&token_secret) };
    store.credentials.add_token(&wider).await.unwrap();
    assert_eq!(token(&store, &token_secret).await, Some(token_facts(&first)));
    store.credentials.revoke_token(&first.digest, now()).await.unwrap();
    store.credentials.add_token(&first).await.unwrap();
    let revoked = TokenFacts { is_revoked: true, ..token_facts(&first) };
    assert_eq!(token(&store, &token_secret).await, Some(revoked));

    let (key_secret, first) = added_key(&store).await;
    let wider = NewApiKey { scope: Scope::parse("everything:write"), ..api_key(&key_secret) };
    store.credentials.add_api_key(&wider).await.unwrap();
    assert_eq!(key(&store, &key_secret).await, Some(key_facts(&first)));
    store.credentials.revoke_api_key(&first.digest, now()).await.unwrap();
    store.credentials.add_api_key(&first).await.unwrap();
    assert_eq!(key(&store, &key_secret).await, Some(ApiKeyFacts { is_revoked: true, ..key_facts(&first) }));
}

/// Revoked is revoked, once or twice; nothing else is touched; what is not there cannot be revoked.
pub async fn a_revoked_token_is_revoked(store: CredentialStore) {
    let (revoked, added) = added_token(&store).await;
    let (other, added_other) = added_token(&store).await;
    for _ in 0..2 {
        assert!(store.credentials.revoke_token(&added.digest, now()).await.unwrap());
        let facts = TokenFacts { is_revoked: true, ..token_facts(&added) };
        assert_eq!(token(&store, &revoked).await, Some(facts));
    }
    assert_eq!(token(&store, &other).await, Some(token_facts(&added_other)));
    let (_, of_a_key) = added_key(&store).await;
    assert!(!store.credentials.revoke_token(&of_a_key.digest, now()).await.unwrap());
    assert!(!store.credentials.revoke_token(&secret().digest(), now()).await.unwrap());
}

/// The same for api keys.
pub async fn a_revoked_api_key_is_revoked(store: CredentialStore) {
    let (revoked, added) = added_key(&store).await;
    let (other, added_other) = added_key(&store).await;
    for _ in 0..2 {
        assert!(store.credentials.revoke_api_key(&added.digest, now()).await.unwrap());
        let facts = ApiKeyFacts { is_revoked: true, ..key_facts(&added) };
        assert_eq!(key(&store, &revoked).await, Some(facts));
    }
    assert_eq!(key(&store, &other).await, Some(key_facts(&added_other)));
    let (_, of_a_token) = added_token(&store).await;
    assert!(!store.credentials.revoke_api_key(&of_a_token.digest, now()).await.unwrap());
    assert!(!store.credentials.revoke_api_key(&secret().digest(), now()).await.unwrap());
}

/// A blocked user's tokens say so, later ones as well, until the block is lifted.
pub async fn a_block_of_a_user_is_on_all_their_tokens(store: CredentialStore) {
    let (before, added) = added_token(&store).await;
    let (other, added_other) = added_token(&store).await;
    let block = async |blocked| store.credentials.set_user_blocked(added.user_id, blocked).await.unwrap();
    block(true).await;
    block(true).await;
    let later = secret();
    let added_later = NewAccessToken { user_id: added.user_id, ..access_token(&later) };
    store.credentials.add_token(&added_later).await.unwrap();
    for blocked in [true, false] {
        block(blocked).await;
        for (secret, added) in [(&before, &added), (&later, &added_later)] {
            let facts = TokenFacts { is_user_blocked: blocked, ..token_facts(added) };
            assert_eq!(token(&store, secret).await, Some(facts));
        }
        assert_eq!(token(&store, &other).await, Some(token_facts(&added_other)));
    }
}

/// A blocked client's tokens and keys say so, later ones as well, until the block is lifted.
pub async fn a_block_of_a_client_is_on_all_its_tokens_and_keys(store: CredentialStore) {
    let (token_secret, added_token) = added_token(&store).await;
    let client_id = added_token.client_id;
    let block = async |blocked| store.credentials.set_client_blocked(client_id, blocked).await.unwrap();
    block(true).await;
    let key_secret = secret();
    let later_key = NewApiKey { client_id, ..api_key(&key_secret) };
    store.credentials.add_api_key(&later_key).await.unwrap();
    let (other, added_other) = added_key(&store).await;
    for blocked in [true, false] {
        block(blocked).await;
        let facts = TokenFacts { is_client_blocked: blocked, ..token_facts(&added_token) };
        assert_eq!(token(&store, &token_secret).await, Some(facts));
        let facts = ApiKeyFacts { is_client_blocked: blocked, ..key_facts(&later_key) };
        assert_eq!(key(&store, &key_secret).await, Some(facts));
        assert_eq!(key(&store, &other).await, Some(key_facts(&added_other)));
    }
}

/// Users and clients need not exist before they are blocked, and an id is a user's or a client's, not both.
pub async fn who_is_not_known_can_be_blocked(store: CredentialStore) {
    let same_id = fresh();
    let (user_id, client_id) = (UserId::new(fresh()), ClientId::new(same_id));
    store.credentials.set_user_blocked(user_id, true).await.unwrap();
    store.credentials.set_user_blocked(UserId::new(same_id), true).await.unwrap();
    let first = secret();
    let added = NewAccessToken { user_id, client_id, ..access_token(&first) };
    store.credentials.add_token(&added).await.unwrap();
    let blocked = TokenFacts { is_user_blocked: true, ..token_facts(&added) };
    assert_eq!(token(&store, &first).await, Some(blocked));
    store.credentials.set_user_blocked(UserId::new(fresh()), false).await.unwrap();
    store.credentials.set_client_blocked(ClientId::new(fresh()), true).await.unwrap();
}

/// A block is found by user and client alone, also of those that have no token here, until it is lifted.
pub async fn a_block_is_found_without_any_token(store: CredentialStore) {
    let same_id = fresh();
    let (user, client) = (UserId::new(same_id), ClientId::new(same_id));
    let (other_user, other_client) = (UserId::new(fresh()), ClientId::new(fresh()));
    let found = async |user, client| store.blocks.find(user, client).await.unwrap();
    assert_eq!(found(user, client).await, Blocked::default(), "nobody is known");
    for is_blocked in [true, false, true] {
        store.credentials.set_user_blocked(user, is_blocked).await.unwrap();
        assert_eq!(found(user, client).await, Blocked { user: is_blocked, client: false });
    }
    for is_blocked in [true, false, true] {
        store.credentials.set_client_blocked(client, is_blocked).await.unwrap();
        assert_eq!(found(user, client).await, Blocked { user: true, client: is_blocked });
    }
    assert_eq!(found(other_user, client).await, Blocked { user: false, client: true });
    assert_eq!(found(user, other_client).await, Blocked { user: true, client: false });
    let (_, token) = added_token(&store).await;
    assert_eq!(found(token.user_id, token.client_id).await, Blocked::default());
}
