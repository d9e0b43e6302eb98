//! Looks up access tokens, api keys and blocks.

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::dsl::exists;
use diesel::prelude::*;
use esoz_auth::{
    AccessTokens, ApiKeyFacts, ApiKeys, Blocked, Blocks, Scope, Secret, SecretDigest, TokenFacts, TokenKind,
};
use esoz_kernel::{ClientId, StoreError, StoreErrorKind, UserId};
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::During as _;
use crate::schema::{access_tokens, api_keys, clients, users};
use crate::statement::at_most_one;
use crate::time::from_pg;

/// The stored name of a [`TokenKind`].
pub(crate) fn kind_word(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Access => "access",
        TokenKind::Other => "other",
    }
}

/// Stands for the digest of a corrupt token or api key: the error is logged.
pub(crate) const REDACTED: &str = "(its digest is not shown)";

/// The columns of an access token, and whether its user and client are blocked.
pub(crate) type TokenRow = (String, Uuid, Uuid, String, PgTimestamp, Option<PgTimestamp>, bool, bool);

/// Reads the facts about an access token.
pub(crate) fn token_facts(digest: SecretDigest, row: TokenRow) -> Result<TokenFacts, StoreError> {
    let (kind, user, client, scope, expires_at, revoked_at, is_user_blocked, is_client_blocked) = row;
    let corrupt = |column| StoreError::corrupt("access_tokens", REDACTED, column);
    let kinds = [TokenKind::Access, TokenKind::Other];
    Ok(TokenFacts {
        digest,
        kind: kinds.into_iter().find(|one| kind_word(*one) == kind).ok_or_else(|| corrupt("kind"))?,
        user_id: UserId::new(user),
        client_id: ClientId::new(client),
        scope: Scope::parse(&scope),
        expires_at: from_pg(expires_at).ok_or_else(|| corrupt("expires_at"))?,
        is_revoked: revoked_at.is_some(),
        is_user_blocked,
        is_client_blocked,
    })
}

#[async_trait]
impl AccessTokens for PostgresStore {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        let digest = presented.digest();
        let query = access_tokens::table
            .inner_join(users::table)
            .inner_join(clients::table)
            .filter(access_tokens::digest.eq(digest.bytes().to_vec()))
            .select((
                access_tokens::kind,
                access_tokens::user_id,
                access_tokens::client_id,
                access_tokens::scope,
                access_tokens::expires_at,
                access_tokens::revoked_at,
                users::is_blocked,
                clients::is_blocked,
            ));
        let rows = self.connections.query::<TokenRow, _>(query).await.during("finding an access token")?;
        at_most_one(rows).map(|row| token_facts(digest, row)).transpose()
    }
}

#[async_trait]
impl Blocks for PostgresStore {
    async fn find(&self, user: UserId, client: ClientId) -> Result<Blocked, StoreError> {
        let user = users::table.find(user.uuid()).filter(users::is_blocked);
        let client = clients::table.find(client.uuid()).filter(clients::is_blocked);
        let query = diesel::select((exists(user), exists(client)));
        let attempted = "finding blocks of a user and a client";
        let rows = self.connections.query::<(bool, bool), _>(query).await.during(attempted)?;
        let (user, client) =
            at_most_one(rows).ok_or_else(|| StoreError::new(StoreErrorKind::Unexpected, attempted))?;
        Ok(Blocked { user, client })
    }
}

/// The columns of an api key, and whether its client is blocked.
pub(crate) type ApiKeyRow = (Uuid, String, Option<PgTimestamp>, bool);

/// Reads the facts about an api key.
pub(crate) fn api_key_facts(digest: SecretDigest, row: ApiKeyRow) -> ApiKeyFacts {
    let (client, scope, revoked_at, is_client_blocked) = row;
    ApiKeyFacts {
        digest,
        client_id: ClientId::new(client),
        scope: Scope::parse(&scope),
        is_revoked: revoked_at.is_some(),
        is_client_blocked,
    }
}

#[async_trait]
impl ApiKeys for PostgresStore {
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError> {
        let digest = presented.digest();
        let query = api_keys::table
            .inner_join(clients::table)
            .filter(api_keys::digest.eq(digest.bytes().to_vec()))
            .select((api_keys::client_id, api_keys::scope, api_keys::revoked_at, clients::is_blocked));
        let rows = self.connections.query::<ApiKeyRow, _>(query).await.during("finding an api key")?;
        Ok(at_most_one(rows).map(|row| api_key_facts(digest, row)))
    }
}
