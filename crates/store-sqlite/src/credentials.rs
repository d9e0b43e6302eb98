use async_trait::async_trait;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use esoz_auth::{
    AccessTokens, ApiKeyFacts, ApiKeys, Blocked, Blocks, Credentials, ListedApiKey, ListedToken,
    NewAccessToken, NewApiKey, Scope, Secret, SecretDigest, TokenFacts, TokenKind,
};
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{ClientId, StoreError, Timestamp, UserId};

use crate::SqliteStore;
use crate::rows::{HIDDEN, Location};
use crate::schema::{access_tokens, api_keys, clients, users};

const TOKENS: Location<'_> = Location { table: "access_tokens", id: HIDDEN };
const KEYS: Location<'_> = Location { table: "api_keys", id: HIDDEN };

/// The word for a kind of token in the column `kind`.
const fn word(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Access => "access_token",
        TokenKind::Other => "other",
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = access_tokens)]
struct TokenRow {
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

fn token_facts(
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
type ApiKeyRow = (String, String, Option<String>, bool);

fn api_key_facts(
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

/// Reads digest and time of a listed credential.
fn listed(
    location: Location<'_>,
    digest: Vec<u8>,
    issued_at: &str,
) -> Result<(SecretDigest, Timestamp), StoreError> {
    let digest = digest.try_into().map_err(|_| location.corrupt("digest"))?;
    Ok((SecretDigest::new(digest), location.parse("issued_at", issued_at)?))
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

/// Inserts the user or the client if it does not exist.
macro_rules! ensure {
    ($connection:expr, $parties:ident, $id:expr) => {
        diesel::insert_into($parties::table)
            .values(($parties::id.eq($id.to_string()), $parties::is_blocked.eq(false)))
            .on_conflict($parties::id)
            .do_nothing()
            .execute($connection)
    };
}

/// Blocks or unblocks the user or the client, which need not exist.
macro_rules! set_blocked {
    ($connection:expr, $parties:ident, $id:expr, $blocked:expr) => {{
        ensure!($connection, $parties, $id)?;
        let party = diesel::update($parties::table.find($id.to_string()));
        party.set($parties::is_blocked.eq($blocked)).execute($connection)?;
        Ok(())
    }};
}

/// Revokes the token or the key unless it is revoked already. `false` when there is none.
macro_rules! revoke {
    ($connection:expr, $secrets:ident, $digest:expr, $now:expr) => {{
        let secret = $secrets::table.find($digest.bytes().as_slice());
        let revoked: Option<Option<String>> =
            secret.select($secrets::revoked_at).get_result($connection).optional()?;
        if let Some(None) = revoked {
            let update = diesel::update(secret).set($secrets::revoked_at.eq(rfc3339_micros($now)));
            update.execute($connection)?;
        }
        Ok(revoked.is_some())
    }};
}

#[async_trait]
impl Credentials for SqliteStore {
    async fn add_token(&self, token: &NewAccessToken) -> Result<(), StoreError> {
        let token = token.clone();
        self.writer
            .write("storing an access token", move |connection| {
                ensure!(connection, users, token.user_id)?;
                ensure!(connection, clients, token.client_id)?;
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
        let revoke = move |connection: &mut _| revoke!(connection, access_tokens, digest, now);
        self.writer.write("revoking an access token", revoke).await
    }

    async fn list_tokens(
        &self,
        user: Option<UserId>,
        client: Option<ClientId>,
        limit: u32,
    ) -> Result<Vec<Result<ListedToken, StoreError>>, StoreError> {
        let token = |(digest, issued_at, row): (_, String, _)| {
            let (digest, issued_at) = listed(TOKENS, digest, &issued_at)?;
            Ok(ListedToken { facts: token_facts(digest, row)?, issued_at })
        };
        self.read("listing access tokens", move |connection| {
            let mut tokens = access_tokens::table
                .inner_join(users::table)
                .inner_join(clients::table)
                .select((
                    access_tokens::digest,
                    access_tokens::issued_at,
                    (TokenRow::as_select(), users::is_blocked, clients::is_blocked),
                ))
                .order((access_tokens::issued_at.desc(), access_tokens::digest))
                .limit(limit.into())
                .into_boxed::<Sqlite>();
            if let Some(user) = user {
                tokens = tokens.filter(access_tokens::user_id.eq(user.to_string()));
            }
            if let Some(client) = client {
                tokens = tokens.filter(access_tokens::client_id.eq(client.to_string()));
            }
            let rows: Vec<(Vec<u8>, String, (TokenRow, bool, bool))> = tokens.load(connection)?;
            Ok(rows.into_iter().map(token).collect())
        })
        .await
    }

    async fn add_api_key(&self, key: &NewApiKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.writer
            .write("storing an api key", move |connection| {
                ensure!(connection, clients, key.client_id)?;
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
        let revoke = move |connection: &mut _| revoke!(connection, api_keys, digest, now);
        self.writer.write("revoking an api key", revoke).await
    }

    async fn list_api_keys(
        &self,
        client: Option<ClientId>,
        limit: u32,
    ) -> Result<Vec<Result<ListedApiKey, StoreError>>, StoreError> {
        let key = |(digest, issued_at, row): (_, String, _)| {
            let (digest, issued_at) = listed(KEYS, digest, &issued_at)?;
            Ok(ListedApiKey { facts: api_key_facts(digest, row)?, issued_at })
        };
        self.read("listing api keys", move |connection| {
            let of_key = (api_keys::client_id, api_keys::scope, api_keys::revoked_at, clients::is_blocked);
            let mut keys = api_keys::table
                .inner_join(clients::table)
                .select((api_keys::digest, api_keys::issued_at, of_key))
                .order((api_keys::issued_at.desc(), api_keys::digest))
                .limit(limit.into())
                .into_boxed::<Sqlite>();
            if let Some(client) = client {
                keys = keys.filter(api_keys::client_id.eq(client.to_string()));
            }
            let rows: Vec<(Vec<u8>, String, ApiKeyRow)> = keys.load(connection)?;
            Ok(rows.into_iter().map(key).collect())
        })
        .await
    }

    async fn set_user_blocked(&self, user: UserId, blocked: bool) -> Result<(), StoreError> {
        let set = move |connection: &mut _| set_blocked!(connection, users, user, blocked);
        self.writer.write("blocking a user or letting them in again", set).await
    }

    async fn set_client_blocked(&self, client: ClientId, blocked: bool) -> Result<(), StoreError> {
        let set = move |connection: &mut _| set_blocked!(connection, clients, client, blocked);
        self.writer.write("blocking a client or letting it in again", set).await
    }
}
