//! Idempotency records: which request took effect under which key, kept in the transaction of the write.

use async_trait::async_trait;
use diesel::prelude::*;
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{IdempotencyRecords, IdempotentRequest, Replay, StoreError, Timestamp};

use crate::SqliteStore;
use crate::error::SqliteError;
use crate::rows::{Location, MAX_PURGED_PER_TRANSACTION};
use crate::schema::idempotency_keys as keys;

/// The location of a row for error messages; the key itself is not shown.
pub(crate) const LOCATION: Location<'static> = Location { table: "idempotency_keys", id: "(a digest)" };

#[derive(Queryable, Selectable)]
#[diesel(table_name = keys)]
struct KeyRow {
    request: Vec<u8>,
    answer: String,
    kept_since: String,
}

/// Looks up the key: the first answer as it was kept, or that the key was reused.
pub(crate) fn replay(
    connection: &mut SqliteConnection,
    idempotency: &IdempotentRequest,
    now: Timestamp,
) -> Result<Option<Replay<String>>, SqliteError> {
    let row: Option<KeyRow> = keys::table
        .find(idempotency.key().as_slice())
        .select(KeyRow::as_select())
        .get_result(connection)
        .optional()?;
    let Some(KeyRow { request, answer, kept_since }) = row else { return Ok(None) };
    Ok(idempotency.replay(&request, LOCATION.parse("kept_since", &kept_since)?, now, || answer))
}

/// Stores the key with its answer. Replaces an expired record; [`replay`] has found no other in this transaction.
pub(crate) fn keep(
    connection: &mut SqliteConnection,
    idempotency: &IdempotentRequest,
    now: Timestamp,
    answer: &str,
) -> QueryResult<usize> {
    diesel::replace_into(keys::table)
        .values((
            keys::key.eq(idempotency.key().as_slice()),
            keys::request.eq(idempotency.request().as_slice()),
            keys::answer.eq(answer),
            keys::kept_since.eq(rfc3339_micros(now)),
        ))
        .execute(connection)
}

/// Parses the kept answer.
pub(crate) fn answered<T>(
    replay: Replay<String>,
    read: impl FnOnce(&str) -> Result<T, StoreError>,
) -> Result<Replay<T>, StoreError> {
    match replay {
        Replay::Replayed(answer) => read(&answer).map(Replay::Replayed),
        Replay::KeyReused => Ok(Replay::KeyReused),
    }
}

#[async_trait]
impl IdempotencyRecords for SqliteStore {
    async fn purge_expired(&self, until: Timestamp, most: u32) -> Result<u64, StoreError> {
        // Times have one form, so that they sort as text.
        let until = rfc3339_micros(until);
        let most = i64::from(most).min(i64::try_from(MAX_PURGED_PER_TRANSACTION).unwrap_or(i64::MAX));
        let old = keys::table.filter(keys::kept_since.le(until.clone())).select(keys::key).limit(most);
        // A purge with nothing to delete must not queue a write.
        let found: Vec<Vec<u8>> = self
            .read("looking for expired idempotency keys", move |connection| Ok(old.load(connection)?))
            .await?;
        if found.is_empty() {
            return Ok(0);
        }
        self.writer
            .write("purging expired idempotency keys", move |connection| {
                // One of them may have been used again since the read.
                let still_old =
                    keys::table.filter(keys::key.eq_any(&found)).filter(keys::kept_since.le(&until));
                Ok(u64::try_from(diesel::delete(still_old).execute(connection)?).unwrap_or(u64::MAX))
            })
            .await
    }
}
