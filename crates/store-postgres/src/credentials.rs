//! Stores, lists and revokes access tokens and api keys; blocks users and clients.

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{self, Nullable};
use esoz_auth::{
    BlockState, Credentials, DigestPrefix, ListedApiKey, ListedToken, NewAccessToken, NewApiKey, SecretDigest,
};
use esoz_kernel::{ClientId, StoreError, Timestamp, UserId};
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::During as _;
use crate::schema::{access_tokens, api_keys, clients, users};
use crate::statement::statement;
use crate::time::{from_pg, to_pg};
use crate::tokens::{ApiKeyRow, REDACTED, TokenRow, api_key_facts, kind_word, token_facts};

statement! {
    /// Stores a token, and its user and client if they are new.
    AddToken {
        digest: Vec<u8> => sql_types::Bytea,
        kind: &'static str => sql_types::Text,
        user_id: Uuid => sql_types::Uuid,
        client_id: Uuid => sql_types::Uuid,
        scope: String => sql_types::Text,
        expires_at: PgTimestamp => sql_types::Timestamptz,
        issued_at: PgTimestamp => sql_types::Timestamptz,
    } -> ();
    ", new_user AS (INSERT INTO users (id) SELECT user_id FROM args ON CONFLICT DO NOTHING)
     , new_client AS (INSERT INTO clients (id) SELECT client_id FROM args ON CONFLICT DO NOTHING)
     INSERT INTO access_tokens (digest, kind, user_id, client_id, scope, expires_at, issued_at)
     SELECT digest, kind, user_id, client_id, scope, expires_at, issued_at FROM args
     ON CONFLICT DO NOTHING"
}

statement! {
    /// Stores an api key, and its client if it is new.
    AddApiKey {
        digest: Vec<u8> => sql_types::Bytea,
        client_id: Uuid => sql_types::Uuid,
        scope: String => sql_types::Text,
        issued_at: PgTimestamp => sql_types::Timestamptz,
    } -> ();
    ", new_client AS (INSERT INTO clients (id) SELECT client_id FROM args ON CONFLICT DO NOTHING)
     INSERT INTO api_keys (digest, client_id, scope, issued_at)
     SELECT digest, client_id, scope, issued_at FROM args
     ON CONFLICT DO NOTHING"
}

/// A row of [`TokenRow`].
type TokenSql = (
    sql_types::Text,
    sql_types::Uuid,
    sql_types::Uuid,
    sql_types::Text,
    sql_types::Timestamptz,
    Nullable<sql_types::Timestamptz>,
    sql_types::Bool,
    sql_types::Bool,
);

statement! {
    /// Lists access tokens, newest first.
    ListTokens {
        user_id: Option<Uuid> => Nullable<sql_types::Uuid>,
        client_id: Option<Uuid> => Nullable<sql_types::Uuid>,
        max_rows: i64 => sql_types::BigInt,
    } -> (sql_types::Bytea, sql_types::Timestamptz, TokenSql);
    " SELECT token.digest, token.issued_at, token.kind, token.user_id, token.client_id, token.scope, token.expires_at, token.revoked_at,
         users.is_blocked, clients.is_blocked
     FROM args CROSS JOIN access_tokens AS token
     JOIN users ON users.id = token.user_id JOIN clients ON clients.id = token.client_id
     WHERE token.user_id = coalesce(args.user_id, token.user_id) AND token.client_id = coalesce(args.client_id, token.client_id)
     ORDER BY token.issued_at DESC, token.digest
     LIMIT (SELECT max_rows FROM args)"
}

/// A row of [`ApiKeyRow`].
type ApiKeySql = (sql_types::Uuid, sql_types::Text, Nullable<sql_types::Timestamptz>, sql_types::Bool);

statement! {
    /// Lists api keys, newest first.
    ListApiKeys {
        client_id: Option<Uuid> => Nullable<sql_types::Uuid>,
        max_rows: i64 => sql_types::BigInt,
    } -> (sql_types::Bytea, sql_types::Timestamptz, ApiKeySql);
    " SELECT api_key.digest, api_key.issued_at, api_key.client_id, api_key.scope, api_key.revoked_at, clients.is_blocked
     FROM args CROSS JOIN api_keys AS api_key JOIN clients ON clients.id = api_key.client_id
     WHERE api_key.client_id = coalesce(args.client_id, api_key.client_id)
     ORDER BY api_key.issued_at DESC, api_key.digest
     LIMIT (SELECT max_rows FROM args)"
}

/// Reads digest and time of a listed credential.
fn listed(
    table: &'static str,
    digest: Vec<u8>,
    issued_at: PgTimestamp,
) -> Result<(SecretDigest, Timestamp), StoreError> {
    let corrupt = |column| StoreError::corrupt(table, REDACTED, column);
    Ok((stored_digest(table, digest)?, from_pg(issued_at).ok_or_else(|| corrupt("issued_at"))?))
}

fn stored_digest(table: &'static str, digest: Vec<u8>) -> Result<SecretDigest, StoreError> {
    let corrupt = |_| StoreError::corrupt(table, REDACTED, "digest");
    digest.try_into().map(SecretDigest::new).map_err(corrupt)
}

/// The digests that begin so.
macro_rules! find_digests {
    ($secrets:ident, $prefix:expr, $limit:expr) => {
        $secrets::table
            .filter($secrets::digest.between($prefix.lowest().to_vec(), $prefix.highest().to_vec()))
            .select($secrets::digest)
            .order($secrets::digest)
            .limit($limit.into())
    };
}

/// Users or clients by their ids.
macro_rules! list_parties {
    ($parties:ident, $blocked_only:expr, $limit:expr) => {
        $parties::table
            .filter($parties::is_blocked.or((!$blocked_only).into_sql::<sql_types::Bool>()))
            .select(($parties::id, $parties::is_blocked))
            .order($parties::id)
            .limit($limit.into())
    };
}

#[async_trait]
impl Credentials for PostgresStore {
    async fn add_token(&self, token: &NewAccessToken) -> Result<(), StoreError> {
        let statement = AddToken {
            digest: token.digest.bytes().to_vec(),
            kind: kind_word(token.kind),
            user_id: token.user_id.uuid(),
            client_id: token.client_id.uuid(),
            scope: token.scope.to_string(),
            expires_at: to_pg(token.expires_at),
            issued_at: to_pg(token.issued_at),
        };
        self.connections.execute(statement).await.map(drop).during("storing an access token")
    }

    async fn revoke_token(&self, digest: &SecretDigest, now: Timestamp) -> Result<bool, StoreError> {
        let statement = diesel::update(access_tokens::table.find(digest.bytes().to_vec()))
            // The time of the first revocation stays.
            .set(access_tokens::revoked_at.eq(coalesce(access_tokens::revoked_at, to_pg(now))));
        self.connections.execute(statement).await.map(|count| count > 0).during("revoking an access token")
    }

    async fn find_token_digests(
        &self,
        prefix: &DigestPrefix,
        limit: u32,
    ) -> Result<Vec<SecretDigest>, StoreError> {
        let query = find_digests!(access_tokens, prefix, limit);
        let found = self
            .connections
            .query::<Vec<u8>, _>(query)
            .await
            .during("finding access tokens by their digest")?;
        found.into_iter().map(|digest| stored_digest("access_tokens", digest)).collect()
    }

    async fn list_tokens(
        &self,
        user: Option<UserId>,
        client: Option<ClientId>,
        limit: u32,
    ) -> Result<Vec<Result<ListedToken, StoreError>>, StoreError> {
        let query = ListTokens {
            user_id: user.map(UserId::uuid),
            client_id: client.map(ClientId::uuid),
            max_rows: limit.into(),
        };
        let rows = self.connections.query::<(Vec<u8>, PgTimestamp, TokenRow), _>(query).await;
        let token = |(digest, issued_at, row)| {
            let (digest, issued_at) = listed("access_tokens", digest, issued_at)?;
            Ok(ListedToken { facts: token_facts(digest, row)?, issued_at })
        };
        Ok(rows.during("listing access tokens")?.into_iter().map(token).collect())
    }

    async fn add_api_key(&self, key: &NewApiKey) -> Result<(), StoreError> {
        let statement = AddApiKey {
            digest: key.digest.bytes().to_vec(),
            client_id: key.client_id.uuid(),
            scope: key.scope.to_string(),
            issued_at: to_pg(key.issued_at),
        };
        self.connections.execute(statement).await.map(drop).during("storing an api key")
    }

    async fn revoke_api_key(&self, digest: &SecretDigest, now: Timestamp) -> Result<bool, StoreError> {
        let statement = diesel::update(api_keys::table.find(digest.bytes().to_vec()))
            .set(api_keys::revoked_at.eq(coalesce(api_keys::revoked_at, to_pg(now))));
        self.connections.execute(statement).await.map(|count| count > 0).during("revoking an api key")
    }

    async fn find_api_key_digests(
        &self,
        prefix: &DigestPrefix,
        limit: u32,
    ) -> Result<Vec<SecretDigest>, StoreError> {
        let query = find_digests!(api_keys, prefix, limit);
        let found =
            self.connections.query::<Vec<u8>, _>(query).await.during("finding api keys by their digest")?;
        found.into_iter().map(|digest| stored_digest("api_keys", digest)).collect()
    }

    async fn list_api_keys(
        &self,
        client: Option<ClientId>,
        limit: u32,
    ) -> Result<Vec<Result<ListedApiKey, StoreError>>, StoreError> {
        let query = ListApiKeys { client_id: client.map(ClientId::uuid), max_rows: limit.into() };
        let rows = self.connections.query::<(Vec<u8>, PgTimestamp, ApiKeyRow), _>(query).await;
        let key = |(digest, issued_at, row)| {
            let (digest, issued_at) = listed("api_keys", digest, issued_at)?;
            Ok(ListedApiKey { facts: api_key_facts(digest, row), issued_at })
        };
        Ok(rows.during("listing api keys")?.into_iter().map(key).collect())
    }

    async fn set_user_blocked(&self, user: UserId, blocked: bool) -> Result<(), StoreError> {
        let statement = diesel::insert_into(users::table)
            .values((users::id.eq(user.uuid()), users::is_blocked.eq(blocked)))
            .on_conflict(users::id)
            .do_update()
            .set(users::is_blocked.eq(blocked));
        self.connections
            .execute(statement)
            .await
            .map(drop)
            .during(format_args!("blocking or unblocking user {user}"))
    }

    async fn set_client_blocked(&self, client: ClientId, blocked: bool) -> Result<(), StoreError> {
        let statement = diesel::insert_into(clients::table)
            .values((clients::id.eq(client.uuid()), clients::is_blocked.eq(blocked)))
            .on_conflict(clients::id)
            .do_update()
            .set(clients::is_blocked.eq(blocked));
        self.connections
            .execute(statement)
            .await
            .map(drop)
            .during(format_args!("blocking or unblocking client {client}"))
    }

    async fn list_users(
        &self,
        blocked_only: bool,
        limit: u32,
    ) -> Result<Vec<Result<BlockState<UserId>, StoreError>>, StoreError> {
        let query = list_parties!(users, blocked_only, limit);
        let rows = self.connections.query::<(Uuid, bool), _>(query).await.during("listing users")?;
        Ok(rows
            .into_iter()
            .map(|(id, is_blocked)| Ok(BlockState { id: UserId::new(id), is_blocked }))
            .collect())
    }

    async fn list_clients(
        &self,
        blocked_only: bool,
        limit: u32,
    ) -> Result<Vec<Result<BlockState<ClientId>, StoreError>>, StoreError> {
        let query = list_parties!(clients, blocked_only, limit);
        let rows = self.connections.query::<(Uuid, bool), _>(query).await.during("listing clients")?;
        Ok(rows
            .into_iter()
            .map(|(id, is_blocked)| Ok(BlockState { id: ClientId::new(id), is_blocked }))
            .collect())
    }
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// The first argument that is not null.
    fn coalesce(
        first: sql_types::Nullable<sql_types::Timestamptz>,
        second: sql_types::Timestamptz,
    ) -> sql_types::Nullable<sql_types::Timestamptz>;
}
