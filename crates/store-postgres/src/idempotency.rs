//! Purges expired idempotency records. The statement of a write stores its record.

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::sql_types::{BigInt, Bytea, Timestamptz};
use esoz_kernel::{IdempotencyRecords, StoreError, Timestamp};

use crate::PostgresStore;
use crate::error::During as _;
use crate::statement::statement;
use crate::time::to_pg;

statement! {
    /// Deletes the oldest expired records. A concurrent purge waits and skips what is deleted.
    PurgeExpired {
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

#[async_trait]
impl IdempotencyRecords for PostgresStore {
    async fn purge_expired(&self, until: Timestamp, most: u32) -> Result<u64, StoreError> {
        let purge = PurgeExpired { until: to_pg(until), most: most.into() };
        let purged = self.connections.query_write::<Vec<u8>, _>(purge).await;
        let purged = purged.during("purging expired idempotency keys")?;
        Ok(u64::try_from(purged.len()).unwrap_or(u64::MAX))
    }
}
