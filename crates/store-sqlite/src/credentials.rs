//! Stores, lists and revokes access tokens and api keys; blocks users and clients.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use esoz_auth::{
    BlockState, Credentials, DigestPrefix, ListedApiKey, ListedToken, NewAccessToken, NewApiKey, SecretDigest,
};
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{ClientId, StoreError, Timestamp, UserId};

use crate::SqliteStore;
use crate::rows::{HIDDEN, Location};
use crate::schema::{access_tokens, api_keys, clients, users};
use crate::tokens::{ApiKeyRow, KEYS, TOKENS, TokenRow, api_key_facts, token_facts, word};

/// Reads digest and time of a listed credential.
fn listed(
    location: Location<'_>,
    digest: Vec<u8>,
    issued_at: &str,
) -> Result<(SecretDigest, Timestamp), StoreError> {
    Ok((stored_digest(location, digest)?, location.parse("issued_at", issued_at)?))
}

fn stored_digest(location: Location<'_>, digest: Vec<u8>) -> Result<SecretDigest, StoreError> {
    digest.try_into().map(SecretDigest::new).map_err(|_| location.corrupt("digest"))
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

/// Lists users or clients by their ids.
macro_rules! list_parties {
    ($store:expr, $attempted:literal, $parties:ident, $blocked_only:expr, $limit:expr) => {{
        let (blocked_only, limit): (bool, u32) = ($blocked_only, $limit);
        let rows: Vec<(String, bool)> = $store
            .read($attempted, move |connection| {
                let parties =
                    $parties::table.select(($parties::id, $parties::is_blocked)).order($parties::id);
                let parties = parties.limit(limit.into()).into_boxed::<Sqlite>();
                let parties = if blocked_only { parties.filter($parties::is_blocked) } else { parties };
                Ok(parties.load(connection)?)
            })
            .await?;
        let location = Location { table: stringify!($parties), id: HIDDEN };
        let party =
            |(id, is_blocked): (String, bool)| Ok(BlockState { id: location.parse("id", &id)?, is_blocked });
        Ok(rows.into_iter().map(party).collect())
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

/// The digests that begin so.
macro_rules! find_digests {
    ($connection:expr, $secrets:ident, $prefix:expr, $limit:expr) => {{
        let found: Vec<Vec<u8>> = $secrets::table
            .filter($secrets::digest.between($prefix.lowest().as_slice(), $prefix.highest().as_slice()))
            .select($secrets::digest)
            .order($secrets::digest)
            .limit($limit.into())
            .load($connection)?;
        Ok(found)
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

    async fn find_token_digests(
        &self,
        prefix: &DigestPrefix,
        limit: u32,
    ) -> Result<Vec<SecretDigest>, StoreError> {
        let prefix = *prefix;
        let find = move |connection: &mut _| find_digests!(connection, access_tokens, prefix, limit);
        self.read("finding access tokens by their digest", find)
            .await?
            .into_iter()
            .map(|digest| stored_digest(TOKENS, digest))
            .collect()
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

    async fn find_api_key_digests(
        &self,
        prefix: &DigestPrefix,
        limit: u32,
    ) -> Result<Vec<SecretDigest>, StoreError> {
        let prefix = *prefix;
        let find = move |connection: &mut _| find_digests!(connection, api_keys, prefix, limit);
        self.read("finding api keys by their digest", find)
            .await?
            .into_iter()
            .map(|digest| stored_digest(KEYS, digest))
            .collect()
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

    async fn list_users(
        &self,
        blocked_only: bool,
        limit: u32,
    ) -> Result<Vec<Result<BlockState<UserId>, StoreError>>, StoreError> {
        list_parties!(self, "listing users", users, blocked_only, limit)
    }

    async fn list_clients(
        &self,
        blocked_only: bool,
        limit: u32,
    ) -> Result<Vec<Result<BlockState<ClientId>, StoreError>>, StoreError> {
        list_parties!(self, "listing clients", clients, blocked_only, limit)
    }
}
