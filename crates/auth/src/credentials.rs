use async_trait::async_trait;
use esoz_kernel::{ClientId, StoreError, Timestamp, UserId};

use crate::{ApiKeyFacts, DigestPrefix, Scope, SecretDigest, TokenFacts, TokenKind};

/// An access token to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccessToken {
    /// The digest of the token.
    pub digest: SecretDigest,
    /// Its kind; `esoz token issue` makes access tokens only.
    pub kind: TokenKind,
    /// The user that it is issued to.
    pub user_id: UserId,
    /// The client that it is issued to.
    pub client_id: ClientId,
    /// Its scope.
    pub scope: Scope,
    /// The instant from which it is expired. Stores keep microseconds.
    pub expires_at: Timestamp,
    /// When it was issued. Stores keep microseconds.
    pub issued_at: Timestamp,
}

/// An api key to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// The digest of the key.
    pub digest: SecretDigest,
    /// The client that it is issued to.
    pub client_id: ClientId,
    /// Its scope.
    pub scope: Scope,
    /// When it was issued. Stores keep microseconds.
    pub issued_at: Timestamp,
}

/// A stored access token, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedToken {
    /// The facts about it.
    pub facts: TokenFacts,
    /// When it was issued.
    pub issued_at: Timestamp,
}

/// A stored api key, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedApiKey {
    /// The facts about it.
    pub facts: ApiKeyFacts,
    /// When it was issued.
    pub issued_at: Timestamp,
}

/// A user or a client that the store knows, since a credential was issued to it or it was blocked once; and whether it is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockState<Id> {
    /// The user or client.
    pub id: Id,
    /// Whether it is blocked.
    pub is_blocked: bool,
}

/// Manages credentials for an operator: issues, lists and revokes tokens and api keys, blocks users and clients.
///
/// Users and clients need not exist before. A call that returned `Ok` is durable, and from then on seen by [`crate::AccessTokens`],
/// [`crate::ApiKeys`] and [`crate::Blocks`] on the same store.
///
/// # Errors
/// Every method returns [`StoreError`] when the store failed; the same call again is safe.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Stores a token. The same digest again changes nothing.
    async fn add_token(&self, token: &NewAccessToken) -> Result<(), StoreError>;

    /// Revokes a token for good; `false` when there is none with that digest. Revoking twice is the same as once.
    async fn revoke_token(&self, digest: &SecretDigest, now: Timestamp) -> Result<bool, StoreError>;

    /// Lists the digests of tokens that begin so, at most `limit`, in ascending order.
    async fn find_token_digests(
        &self,
        prefix: &DigestPrefix,
        limit: u32,
    ) -> Result<Vec<SecretDigest>, StoreError>;

    /// Lists tokens, newest first, at most `limit`: those of a user and of a client, `None` being any. One that cannot be read is an error
    /// in its place.
    async fn list_tokens(
        &self,
        user: Option<UserId>,
        client: Option<ClientId>,
        limit: u32,
    ) -> Result<Vec<Result<ListedToken, StoreError>>, StoreError>;

    /// Stores an api key. The same digest again changes nothing.
    async fn add_api_key(&self, key: &NewApiKey) -> Result<(), StoreError>;

    /// Revokes an api key for good; `false` when there is none with that digest. Revoking twice is the same as once.
    async fn revoke_api_key(&self, digest: &SecretDigest, now: Timestamp) -> Result<bool, StoreError>;

    /// Lists the digests of api keys that begin so, at most `limit`, in ascending order.
    async fn find_api_key_digests(
        &self,
        prefix: &DigestPrefix,
        limit: u32,
    ) -> Result<Vec<SecretDigest>, StoreError>;

    /// Lists api keys, newest first, at most `limit`: those of a client, `None` being any. One that cannot be read is an error in its place.
    async fn list_api_keys(
        &self,
        client: Option<ClientId>,
        limit: u32,
    ) -> Result<Vec<Result<ListedApiKey, StoreError>>, StoreError>;

    /// Blocks or unblocks a user. No token of a blocked user is valid, whichever issuer it comes from.
    async fn set_user_blocked(&self, user: UserId, blocked: bool) -> Result<(), StoreError>;

    /// Blocks or unblocks a client. No token and no api key of a blocked client is valid, whichever issuer it comes from.
    async fn set_client_blocked(&self, client: ClientId, blocked: bool) -> Result<(), StoreError>;

    /// Lists users by their ids, at most `limit`: all that the store knows, or the blocked ones alone. One that cannot be read is an error in its place.
    async fn list_users(
        &self,
        blocked_only: bool,
        limit: u32,
    ) -> Result<Vec<Result<BlockState<UserId>, StoreError>>, StoreError>;

    /// Lists clients as [`Credentials::list_users`] does users.
    async fn list_clients(
        &self,
        blocked_only: bool,
        limit: u32,
    ) -> Result<Vec<Result<BlockState<ClientId>, StoreError>>, StoreError>;
}
