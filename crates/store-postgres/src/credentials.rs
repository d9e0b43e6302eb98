//! Stores and revokes access tokens and api keys; blocks users and clients.

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types;
use esoz_auth::{Credentials, NewAccessToken, NewApiKey, SecretDigest};
use esoz_kernel::{ClientId, StoreError, Timestamp, UserId};
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::During as _;
use crate::schema::{access_tokens, api_keys, clients, users};
use crate::statement::statement;
use crate::time::to_pg;
use crate::tokens::kind_word;

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
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// The first argument that is not null.
    fn coalesce(
        first: sql_types::Nullable<sql_types::Timestamptz>,
        second: sql_types::Timestamptz,
    ) -> sql_types::Nullable<sql_types::Timestamptz>;
}
