//! Idempotency records: which request took effect under which key, kept in the transaction of the write.

use async_trait::async_trait;
use diesel::prelude::*;
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{IdempotencyRecords, IdempotentRequest, Replay, StoreError, Timestamp};

use crate::SqliteStore;
use crate::error::SqliteError;
use crate::rows::{Location, MAX_RECORDS_PER_TRANSACTION};
use crate::schema::idempotency_keys as keys;

/// Where a row of the table is; the key itself is not shown.
pub(crate) const LOCATION: Location<'static> = Location { table: "idempotency_keys", id: "(a digest)" };

#[derive(Queryable, Selectable)]
#[diesel(table_name = keys)]
struct KeyRow {
    request: Vec<u8>,
    answer: String,
    kept_since: String,
}

/// What was done under the key, if anything was: the first answer as it was kept.
pub(crate) fn replay(
    connection: &mut SqliteConnection,
    idempotency: &IdempotentRequest,
    now: Timestamp,
) -> Result<Option<Replay<String>>, SqliteError> {
    let row: Option<KeyRow> = keys::table
        .find(idempotency.key().as_slice())
        .select(KeyRow::as_select())
        .first(connection)
        .optional()?;
    let Some(KeyRow { request, answer, kept_since }) = row else { return Ok(None) };
    Ok(idempotency.replay(&request, LOCATION.parse("kept_since", &kept_since)?, now, || answer))
}

/// Keeps the key with its answer. Nothing that counts is kept under it, or [`replay`] would have said so in this transaction.
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

/// The kept answer as what it was.
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
        let most = i64::from(most).min(i64::try_from(MAX_RECORDS_PER_TRANSACTION).unwrap_or(i64::MAX));
        let old = keys::table.filter(keys::kept_since.le(until.clone())).select(keys::key).limit(most);
        // Whoever has nothing to forget must not take turns to write from those who have something to write.
        let found: Vec<Vec<u8>> = self
            .read("looking for old idempotency keys", move |connection| Ok(old.load(connection)?))
            .await?;
        if found.is_empty() {
            return Ok(0);
        }
        self.writer
            .write("forgetting old idempotency keys", move |connection| {
                // Meanwhile one of them may have been used again.
                let still_old =
                    keys::table.filter(keys::key.eq_any(&found)).filter(keys::kept_since.le(&until));
                Ok(u64::try_from(diesel::delete(still_old).execute(connection)?).unwrap_or(u64::MAX))
            })
            .await
    }
}
