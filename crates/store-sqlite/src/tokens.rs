//! Looks up access tokens, api keys and blocks.

use async_trait::async_trait;
use diesel::dsl::exists;
use diesel::prelude::*;
use esoz_auth::{
    AccessTokens, ApiKeyFacts, ApiKeys, Blocked, Blocks, Scope, Secret, SecretDigest, TokenFacts, TokenKind,
};
use esoz_kernel::{ClientId, StoreError, UserId};

use crate::SqliteStore;
use crate::rows::{HIDDEN, Location};
use crate::schema::{access_tokens, api_keys, clients, users};

pub(crate) const TOKENS: Location<'_> = Location { table: "access_tokens", id: HIDDEN };
pub(crate) const KEYS: Location<'_> = Location { table: "api_keys", id: HIDDEN };

/// The word for a kind of token in the column `kind`.
pub(crate) const fn word(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Access => "access_token",
        TokenKind::Other => "other",
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = access_tokens)]
pub(crate) struct TokenRow {
    kind: String,
    user_id: String,
    client_id: String,
    scope: String,
    expires_at: String,
    revoked_at: Option<String>,
}

#[async_trait]
impl AccessTokens for SqliteStore {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        let digest = presented.digest();
        let row: Option<(TokenRow, bool, bool)> = self
            .read("finding an access token", move |connection| {
                let row = access_tokens::table
                    .inner_join(users::table)
                    .inner_join(clients::table)
                    .filter(access_tokens::digest.eq(digest.bytes().as_slice()))
                    .select((TokenRow::as_select(), users::is_blocked, clients::is_blocked))
                    .get_result(connection)
                    .optional()?;
                Ok(row)
            })
            .await?;
        row.map(|row| token_facts(digest, row)).transpose()
    }
}

pub(crate) fn token_facts(
    digest: SecretDigest,
    (row, is_user_blocked, is_client_blocked): (TokenRow, bool, bool),
) -> Result<TokenFacts, StoreError> {
    let kind = [TokenKind::Access, TokenKind::Other].into_iter().find(|kind| word(*kind) == row.kind);
    Ok(TokenFacts {
        digest,
        kind: kind.ok_or_else(|| TOKENS.corrupt("kind"))?,
        user_id: TOKENS.parse("user_id", &row.user_id)?,
        client_id: TOKENS.parse("client_id", &row.client_id)?,
        scope: Scope::parse(&row.scope),
        expires_at: TOKENS.parse("expires_at", &row.expires_at)?,
        is_revoked: row.revoked_at.is_some(),
        is_user_blocked,
        is_client_blocked,
    })
}

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError> {
        let digest = presented.digest();
        let row: Option<ApiKeyRow> = self
            .read("finding an api key", move |connection| {
                let row = api_keys::table
                    .inner_join(clients::table)
                    .filter(api_keys::digest.eq(digest.bytes().as_slice()))
                    .select((api_keys::client_id, api_keys::scope, api_keys::revoked_at, clients::is_blocked))
                    .get_result(connection)
                    .optional()?;
                Ok(row)
            })
            .await?;
        row.map(|row| api_key_facts(digest, row)).transpose()
    }
}

/// The columns of an api key, and whether its client is blocked.
pub(crate) type ApiKeyRow = (String, String, Option<String>, bool);

pub(crate) fn api_key_facts(
    digest: SecretDigest,
    (client_id, scope, revoked_at, is_client_blocked): ApiKeyRow,
) -> Result<ApiKeyFacts, StoreError> {
    Ok(ApiKeyFacts {
        digest,
        client_id: KEYS.parse("client_id", &client_id)?,
        scope: Scope::parse(&scope),
        is_revoked: revoked_at.is_some(),
        is_client_blocked,
    })
}

#[async_trait]
impl Blocks for SqliteStore {
    async fn find(&self, user: UserId, client: ClientId) -> Result<Blocked, StoreError> {
        self.read("finding blocks of a user and a client", move |connection| {
            let user = users::table.find(user.to_string()).filter(users::is_blocked);
            let client = clients::table.find(client.to_string()).filter(clients::is_blocked);
            let (user, client) = diesel::select((exists(user), exists(client))).get_result(connection)?;
            Ok(Blocked { user, client })
        })
        .await
    }
}
