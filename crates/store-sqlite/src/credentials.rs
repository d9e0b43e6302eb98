use async_trait::async_trait;
use diesel::dsl::exists;
use diesel::prelude::*;
use esoz_auth::{
    AccessTokens, ApiKeyFacts, ApiKeys, Blocked, Blocks, Credentials, NewAccessToken, NewApiKey, Scope,
    Secret, SecretDigest, TokenFacts, TokenKind,
};
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{ClientId, StoreError, Timestamp, UserId};

use crate::SqliteStore;
use crate::rows::Location;
use crate::schema::{access_tokens, api_keys, clients, users};

/// Replaces the id of a secret in errors: neither it nor its digest may show.
const HIDDEN: &str = "(hidden)";

const TOKENS: Location<'_> = Location { table: "access_tokens", id: HIDDEN };
const KEYS: Location<'_> = Location { table: "api_keys", id: HIDDEN };

/// The word for a kind of token in the column `kind`.
const fn word(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Access => "access_token",
        TokenKind::Other => "other",
    }
}

#[derive(Queryable)]
struct TokenRow {
    kind: String,
    user_id: String,
    client_id: String,
    scope: String,
    expires_at: String,
    revoked_at: Option<String>,
    is_user_blocked: bool,
    is_client_blocked: bool,
}

#[async_trait]
impl AccessTokens for SqliteStore {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        let digest = presented.digest();
        let row: Option<TokenRow> = self
            .read("finding an access token", move |connection| {
                let row = access_tokens::table
                    .inner_join(users::table)
                    .inner_join(clients::table)
                    .filter(access_tokens::digest.eq(digest.bytes().as_slice()))
                    .select((
                        access_tokens::kind,
                        access_tokens::user_id,
                        access_tokens::client_id,
                        access_tokens::scope,
                        access_tokens::expires_at,
                        access_tokens::revoked_at,
                        users::is_blocked,
                        clients::is_blocked,
                    ))
                    .first(connection)
                    .optional()?;
                Ok(row)
            })
            .await?;
        row.map(|row| token_facts(digest, &row)).transpose()
    }
}

fn token_facts(digest: SecretDigest, row: &TokenRow) -> Result<TokenFacts, StoreError> {
    let kind = [TokenKind::Access, TokenKind::Other].into_iter().find(|kind| word(*kind) == row.kind);
    Ok(TokenFacts {
        digest,
        kind: kind.ok_or_else(|| TOKENS.corrupt("kind"))?,
        user_id: TOKENS.parse("user_id", &row.user_id)?,
        client_id: TOKENS.parse("client_id", &row.client_id)?,
        scope: Scope::parse(&row.scope),
        expires_at: TOKENS.parse("expires_at", &row.expires_at)?,
        is_revoked: row.revoked_at.is_some(),
        is_user_blocked: row.is_user_blocked,
        is_client_blocked: row.is_client_blocked,
    })
}

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError> {
        let digest = presented.digest();
        let row: Option<(String, String, Option<String>, bool)> = self
            .read("finding an api key", move |connection| {
                let row = api_keys::table
                    .inner_join(clients::table)
                    .filter(api_keys::digest.eq(digest.bytes().as_slice()))
                    .select((api_keys::client_id, api_keys::scope, api_keys::revoked_at, clients::is_blocked))
                    .first(connection)
                    .optional()?;
                Ok(row)
            })
            .await?;
        row.map(|(client_id, scope, revoked_at, is_client_blocked)| {
            Ok(ApiKeyFacts {
                digest,
                client_id: KEYS.parse("client_id", &client_id)?,
                scope: Scope::parse(&scope),
                is_revoked: revoked_at.is_some(),
                is_client_blocked,
            })
        })
        .transpose()
    }
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

/// Inserts the user if it does not exist.
fn name_user(connection: &mut SqliteConnection, user: UserId) -> QueryResult<usize> {
    diesel::insert_into(users::table)
        .values((users::id.eq(user.to_string()), users::is_blocked.eq(false)))
        .on_conflict(users::id)
        .do_nothing()
        .execute(connection)
}

/// Inserts the client if it does not exist.
fn name_client(connection: &mut SqliteConnection, client: ClientId) -> QueryResult<usize> {
    diesel::insert_into(clients::table)
        .values((clients::id.eq(client.to_string()), clients::is_blocked.eq(false)))
        .on_conflict(clients::id)
        .do_nothing()
        .execute(connection)
}

#[async_trait]
impl Credentials for SqliteStore {
    async fn add_token(&self, token: &NewAccessToken) -> Result<(), StoreError> {
        let token = token.clone();
        self.writer
            .write("storing an access token", move |connection| {
                name_user(connection, token.user_id)?;
                name_client(connection, token.client_id)?;
                diesel::insert_into(access_tokens::table)
                    .values((
                        access_tokens::digest.eq(token.digest.bytes().as_slice()),
                        access_tokens::kind.eq(word(token.kind)),
                        access_tokens::user_id.eq(token.user_id.to_string()),
                        access_tokens::client_id.eq(token.client_id.to_string()),
                        access_tokens::scope.eq(token.scope.to_string()),
                        access_tokens::expires_at.eq(rfc3339_micros(token.expires_at)),
                        access_tokens::issued_at.eq(rfc3339_micros(token.issued_at)),
                    ))
                    .on_conflict(access_tokens::digest)
                    .do_nothing()
                    .execute(connection)?;
                Ok(())
            })
            .await
    }

    async fn revoke_token(&self, digest: &SecretDigest, now: Timestamp) -> Result<bool, StoreError> {
        let digest = *digest;
        self.writer
            .write("revoking an access token", move |connection| {
                let token = access_tokens::table.find(digest.bytes().as_slice());
                let revoked: Option<Option<String>> =
                    token.select(access_tokens::revoked_at).first(connection).optional()?;
                if let Some(None) = revoked {
                    diesel::update(token)
                        .set(access_tokens::revoked_at.eq(rfc3339_micros(now)))
                        .execute(connection)?;
                }
                Ok(revoked.is_some())
            })
            .await
    }

    async fn add_api_key(&self, key: &NewApiKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.writer
            .write("storing an api key", move |connection| {
                name_client(connection, key.client_id)?;
                diesel::insert_into(api_keys::table)
                    .values((
                        api_keys::digest.eq(key.digest.bytes().as_slice()),
                        api_keys::client_id.eq(key.client_id.to_string()),
                        api_keys::scope.eq(key.scope.to_string()),
                        api_keys::issued_at.eq(rfc3339_micros(key.issued_at)),
                    ))
                    .on_conflict(api_keys::digest)
                    .do_nothing()
                    .execute(connection)?;
                Ok(())
            })
            .await
    }

    async fn revoke_api_key(&self, digest: &SecretDigest, now: Timestamp) -> Result<bool, StoreError> {
        let digest = *digest;
        self.writer
            .write("revoking an api key", move |connection| {
                let key = api_keys::table.find(digest.bytes().as_slice());
                let revoked: Option<Option<String>> =
                    key.select(api_keys::revoked_at).first(connection).optional()?;
                if let Some(None) = revoked {
                    diesel::update(key)
                        .set(api_keys::revoked_at.eq(rfc3339_micros(now)))
                        .execute(connection)?;
                }
                Ok(revoked.is_some())
            })
            .await
    }

    async fn set_user_blocked(&self, user: UserId, blocked: bool) -> Result<(), StoreError> {
        self.writer
            .write("blocking a user or letting them in again", move |connection| {
                name_user(connection, user)?;
                diesel::update(users::table.find(user.to_string()))
                    .set(users::is_blocked.eq(blocked))
                    .execute(connection)?;
                Ok(())
            })
            .await
    }

    async fn set_client_blocked(&self, client: ClientId, blocked: bool) -> Result<(), StoreError> {
        self.writer
            .write("blocking a client or letting it in again", move |connection| {
                name_client(connection, client)?;
                diesel::update(clients::table.find(client.to_string()))
                    .set(clients::is_blocked.eq(blocked))
                    .execute(connection)?;
                Ok(())
            })
            .await
    }
}
