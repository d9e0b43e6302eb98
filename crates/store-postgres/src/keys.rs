//! The keys that updates were asked for under. They are kept by the statement of the update; here they are looked up and forgotten.

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bytea, Timestamptz};
use esoz_contract_division::ContractDivision;
use esoz_kernel::idempotency::expired_until;
use esoz_kernel::{IdempotencyRecords, IdempotentRequest, Replay, StoreError, Timestamp};

use crate::PostgresStore;
use crate::contract_divisions::{RecordRow, RecordSql, contract_division};
use crate::schema::idempotency_keys as keys;
use crate::statement::statement;
use crate::store::only;
use crate::time::to_pg;

/// What a statement violates that comes with a key which is kept already.
pub(crate) const KEY_IS_TAKEN: &str = "idempotency_keys_pkey";

statement! {
    /// What is kept under a key.
    FindKey {
        key: Vec<u8> => Bytea,
    } -> (Bytea, RecordSql);
    " SELECT
         kept.request, kept.id, kept.contract_id, kept.division_id, kept.is_active,
         kept.inserted_at, kept.inserted_by, kept.updated_at, kept.updated_by
     FROM args JOIN idempotency_keys AS kept ON kept.key = args.key"
}

statement! {
    /// Forgets the oldest of the old keys. Of two that forget at the same time the second waits, and passes over what is gone.
    ForgetKeys {
        until: PgTimestamp => Timestamptz,
        most: i64 => BigInt,
    } -> Bytea;
    " , old AS MATERIALIZED (
         SELECT kept.key FROM args JOIN idempotency_keys AS kept ON kept.updated_at <= args.until
         ORDER BY kept.updated_at
         LIMIT (SELECT most FROM args))
     DELETE FROM idempotency_keys AS kept USING old WHERE kept.key = old.key
     RETURNING kept.key"
}

impl PostgresStore {
    /// What was done under the key, if anything was. What is kept for too long goes, so that the key can be kept anew.
    pub(crate) async fn replay(
        &self,
        idempotency: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<Replay<ContractDivision>>, StoreError> {
        let attempted = "looking up an idempotency key";
        let find = FindKey { key: idempotency.key().to_vec() };
        let rows = self.connections.look::<(Vec<u8>, RecordRow), _>(find).await;
        let Some((request, row)) = only(rows.map_err(|failure| failure.during(attempted))?) else {
            return Ok(None);
        };
        let record = contract_division(row)?;
        let replay = idempotency.replay(&request, record.stamps.updated_at, now, || record);
        if replay.is_none() {
            // Unless it was kept anew meanwhile.
            let old = keys::table
                .filter(keys::key.eq(idempotency.key().to_vec()))
                .filter(keys::updated_at.le(to_pg(expired_until(now))));
            self.connections
                .execute(diesel::delete(old))
                .await
                .map_err(|failure| failure.during(attempted))?;
        }
        Ok(replay)
    }
}

#[async_trait]
impl IdempotencyRecords for PostgresStore {
    async fn purge_expired(&self, until: Timestamp, most: u32) -> Result<u64, StoreError> {
        let forget = ForgetKeys { until: to_pg(until), most: most.into() };
        let forgotten = self.connections.change::<Vec<u8>, _>(forget).await;
        let forgotten = forgotten.map_err(|failure| failure.during("forgetting old idempotency keys"))?;
        Ok(u64::try_from(forgotten.len()).unwrap_or(u64::MAX))
    }
}
