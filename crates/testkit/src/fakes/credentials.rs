use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_auth::{
    AccessTokens, ApiKeyFacts, ApiKeys, BlockState, Blocked, Blocks, Credentials, DigestPrefix, ListedApiKey,
    ListedToken, NewAccessToken, NewApiKey, Secret, SecretDigest, TokenFacts,
};
use esoz_kernel::{ClientId, StoreError, Timestamp, UserId, Uuid, time::to_micros};

use super::Locked;
use crate::contract::CredentialStore;

/// Tokens and api keys, in memory.
#[derive(Debug, Default)]
pub struct FakeCredentials(Locked<State>);

#[derive(Debug, Default)]
struct State {
    tokens: HashMap<SecretDigest, ListedToken>,
    keys: HashMap<SecretDigest, ListedApiKey>,
    /// Whether each user and client is blocked.
    users: HashMap<UserId, bool>,
    clients: HashMap<ClientId, bool>,
}

impl State {
    fn token(&self, stored: &ListedToken) -> ListedToken {
        let facts = TokenFacts {
            is_user_blocked: is_blocked(&self.users, &stored.facts.user_id),
            is_client_blocked: is_blocked(&self.clients, &stored.facts.client_id),
            ..stored.facts.clone()
        };
        ListedToken { facts, ..*stored }
    }

    fn key(&self, stored: &ListedApiKey) -> ListedApiKey {
        let is_client_blocked = is_blocked(&self.clients, &stored.facts.client_id);
        ListedApiKey { facts: ApiKeyFacts { is_client_blocked, ..stored.facts.clone() }, ..*stored }
    }
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
        Ok(state.tokens.get(&presented.digest()).map(|token| state.token(token).facts))
    }
}

#[async_trait]
impl ApiKeys for FakeCredentials {
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError> {
        let state = self.0.lock();
        Ok(state.keys.get(&presented.digest()).map(|key| state.key(key).facts))
    }
}

#[async_trait]
impl Blocks for FakeCredentials {
    async fn find(&self, user: UserId, client: ClientId) -> Result<Blocked, StoreError> {
        let state = self.0.lock();
        let (user, client) = (is_blocked(&state.users, &user), is_blocked(&state.clients, &client));
        Ok(Blocked { user, client })
    }
}

#[async_trait]
impl Credentials for FakeCredentials {
    async fn add_token(&self, token: &NewAccessToken) -> Result<(), StoreError> {
        let NewAccessToken { digest, kind, user_id, client_id, scope, expires_at, issued_at } = token.clone();
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
        let token = ListedToken { facts, issued_at: to_micros(issued_at) };
        let mut state = self.0.lock();
        state.users.entry(user_id).or_default();
        state.clients.entry(client_id).or_default();
        state.tokens.entry(digest).or_insert(token);
        Ok(())
    }

    async fn revoke_token(&self, digest: &SecretDigest, _: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.0.lock();
        Ok(state.tokens.get_mut(digest).map(|token| token.facts.is_revoked = true).is_some())
    }

    async fn find_token_digests(
        &self,
        prefix: &DigestPrefix,
        limit: u32,
    ) -> Result<Vec<SecretDigest>, StoreError> {
        Ok(matching(self.0.lock().tokens.keys(), prefix, limit))
    }

    async fn list_tokens(
        &self,
        user: Option<UserId>,
        client: Option<ClientId>,
        limit: u32,
    ) -> Result<Vec<Result<ListedToken, StoreError>>, StoreError> {
        let state = self.0.lock();
        let is_of = |token: &&ListedToken| {
            user.is_none_or(|user| user == token.facts.user_id)
                && client.is_none_or(|client| client == token.facts.client_id)
        };
        let tokens = state.tokens.values().filter(is_of).map(|token| state.token(token));
        Ok(newest_first(tokens, limit, |token| (token.issued_at, token.facts.digest)))
    }

    async fn add_api_key(&self, key: &NewApiKey) -> Result<(), StoreError> {
        let NewApiKey { digest, client_id, scope, issued_at } = key.clone();
        let facts = ApiKeyFacts { digest, client_id, scope, is_revoked: false, is_client_blocked: false };
        let key = ListedApiKey { facts, issued_at: to_micros(issued_at) };
        let mut state = self.0.lock();
        state.clients.entry(client_id).or_default();
        state.keys.entry(digest).or_insert(key);
        Ok(())
    }

    async fn revoke_api_key(&self, digest: &SecretDigest, _: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.0.lock();
        Ok(state.keys.get_mut(digest).map(|key| key.facts.is_revoked = true).is_some())
    }

    async fn find_api_key_digests(
        &self,
        prefix: &DigestPrefix,
        limit: u32,
    ) -> Result<Vec<SecretDigest>, StoreError> {
        Ok(matching(self.0.lock().keys.keys(), prefix, limit))
    }

    async fn list_api_keys(
        &self,
        client: Option<ClientId>,
        limit: u32,
    ) -> Result<Vec<Result<ListedApiKey, StoreError>>, StoreError> {
        let state = self.0.lock();
        let is_of = |key: &&ListedApiKey| client.is_none_or(|client| client == key.facts.client_id);
        let keys = state.keys.values().filter(is_of).map(|key| state.key(key));
        Ok(newest_first(keys, limit, |key| (key.issued_at, key.facts.digest)))
    }

    async fn set_user_blocked(&self, user: UserId, blocked: bool) -> Result<(), StoreError> {
        self.0.lock().users.insert(user, blocked);
        Ok(())
    }

    async fn set_client_blocked(&self, client: ClientId, blocked: bool) -> Result<(), StoreError> {
        self.0.lock().clients.insert(client, blocked);
        Ok(())
    }

    async fn list_users(
        &self,
        blocked_only: bool,
        limit: u32,
    ) -> Result<Vec<Result<BlockState<UserId>, StoreError>>, StoreError> {
        Ok(listed(&self.0.lock().users, UserId::uuid, blocked_only, limit))
    }

    async fn list_clients(
        &self,
        blocked_only: bool,
        limit: u32,
    ) -> Result<Vec<Result<BlockState<ClientId>, StoreError>>, StoreError> {
        Ok(listed(&self.0.lock().clients, ClientId::uuid, blocked_only, limit))
    }
}

/// The digests that begin so, no more than the limit.
fn matching<'a>(
    digests: impl Iterator<Item = &'a SecretDigest>,
    prefix: &DigestPrefix,
    limit: u32,
) -> Vec<SecretDigest> {
    let mut found: Vec<_> = digests.filter(|digest| prefix.matches(digest)).copied().collect();
    found.sort_by_key(|digest| *digest.bytes());
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    found
}

/// The credentials in the order of a list, no more than the limit.
fn newest_first<T>(
    credentials: impl Iterator<Item = T>,
    limit: u32,
    position: fn(&T) -> (Timestamp, SecretDigest),
) -> Vec<Result<T, StoreError>> {
    let mut listed: Vec<T> = credentials.collect();
    listed.sort_by_key(|credential| {
        let (issued_at, digest) = position(credential);
        (Reverse(issued_at), *digest.bytes())
    });
    listed.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(Ok).collect()
}

fn is_blocked<Id: Eq + Hash>(parties: &HashMap<Id, bool>, id: &Id) -> bool {
    parties.get(id).copied().unwrap_or_default()
}

/// The users or clients in the order of a list, no more than the limit.
fn listed<Id: Copy>(
    parties: &HashMap<Id, bool>,
    uuid: fn(Id) -> Uuid,
    blocked_only: bool,
    limit: u32,
) -> Vec<Result<BlockState<Id>, StoreError>> {
    let parties = parties.iter().map(|(id, is_blocked)| BlockState { id: *id, is_blocked: *is_blocked });
    let mut listed: Vec<_> = parties.filter(|party| party.is_blocked || !blocked_only).collect();
    listed.sort_by_key(|party| uuid(party.id));
    listed.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(Ok).collect()
}
