use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use esoz_auth::{
    AccessTokens, ApiKeyFacts, ApiKeys, Blocked, Blocks, Credentials, NewAccessToken, NewApiKey, Secret,
    SecretDigest, TokenFacts,
};
use esoz_kernel::{ClientId, StoreError, Timestamp, UserId, time::to_micros};

use super::Locked;
use crate::contract::CredentialStore;

/// Tokens and api keys, in memory.
#[derive(Debug, Default)]
pub struct FakeCredentials(Locked<State>);

#[derive(Debug, Default)]
struct State {
    tokens: HashMap<SecretDigest, TokenFacts>,
    keys: HashMap<SecretDigest, ApiKeyFacts>,
    blocked_users: HashSet<UserId>,
    blocked_clients: HashSet<ClientId>,
}

impl FakeCredentials {
    /// An empty one, as the contract suite wants it.
    pub fn under_test() -> CredentialStore {
        let fake = Arc::new(Self::default());
        CredentialStore {
            tokens: fake.clone(),
            api_keys: fake.clone(),
            blocks: fake.clone(),
            credentials: fake,
            keep: Box::new(()),
        }
    }
}

#[async_trait]
impl AccessTokens for FakeCredentials {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        let state = self.0.lock();
        Ok(state.tokens.get(&presented.digest()).map(|token| TokenFacts {
            is_user_blocked: state.blocked_users.contains(&token.user_id),
            is_client_blocked: state.blocked_clients.contains(&token.client_id),
            ..token.clone()
        }))
    }
}

#[async_trait]
impl ApiKeys for FakeCredentials {
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError> {
        let state = self.0.lock();
        Ok(state.keys.get(&presented.digest()).map(|key| ApiKeyFacts {
            is_client_blocked: state.blocked_clients.contains(&key.client_id),
            ..key.clone()
        }))
    }
}

#[async_trait]
impl Blocks for FakeCredentials {
    async fn find(&self, user: UserId, client: ClientId) -> Result<Blocked, StoreError> {
        let state = self.0.lock();
        let (user, client) = (state.blocked_users.contains(&user), state.blocked_clients.contains(&client));
        Ok(Blocked { user, client })
    }
}

#[async_trait]
impl Credentials for FakeCredentials {
    async fn add_token(&self, token: &NewAccessToken) -> Result<(), StoreError> {
        let NewAccessToken { digest, kind, user_id, client_id, scope, expires_at, issued_at: _ } =
            token.clone();
        let facts = TokenFacts {
            digest,
            kind,
            user_id,
            client_id,
            scope,
            expires_at: to_micros(expires_at),
            is_revoked: false,
            is_user_blocked: false,
            is_client_blocked: false,
        };
        self.0.lock().tokens.entry(digest).or_insert(facts);
        Ok(())
    }

    async fn revoke_token(&self, digest: &SecretDigest, _: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.0.lock();
        Ok(state.tokens.get_mut(digest).map(|token| token.is_revoked = true).is_some())
    }

    async fn add_api_key(&self, key: &NewApiKey) -> Result<(), StoreError> {
        let NewApiKey { digest, client_id, scope, issued_at: _ } = key.clone();
        let facts = ApiKeyFacts { digest, client_id, scope, is_revoked: false, is_client_blocked: false };
        self.0.lock().keys.entry(digest).or_insert(facts);
        Ok(())
    }

    async fn revoke_api_key(&self, digest: &SecretDigest, _: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.0.lock();
        Ok(state.keys.get_mut(digest).map(|key| key.is_revoked = true).is_some())
    }

    async fn set_user_blocked(&self, user: UserId, blocked: bool) -> Result<(), StoreError> {
        set_member(&mut self.0.lock().blocked_users, user, blocked);
        Ok(())
    }

    async fn set_client_blocked(&self, client: ClientId, blocked: bool) -> Result<(), StoreError> {
        set_member(&mut self.0.lock().blocked_clients, client, blocked);
        Ok(())
    }
}

fn set_member<T: Eq + std::hash::Hash>(set: &mut HashSet<T>, member: T, is_member: bool) {
    if is_member {
        set.insert(member);
    } else {
        set.remove(&member);
    }
}
