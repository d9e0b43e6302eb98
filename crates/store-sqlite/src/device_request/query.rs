//! Lookups and changes of requests, and their wrong codes, inside the transactions of dispenses.

use diesel::dsl::{count_star, exists, min};
use diesel::prelude::*;
use esoz_device_dispense::{DeviceRequest, DeviceRequestStatus, RequestQuery};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{DeviceRequestId, Timestamp, UserId};

use super::row::RequestRow;
use crate::error::SqliteError;
use crate::prepared::Prepared;
use crate::rows::Location;
use crate::schema::device_request_wrong_codes as wrong_codes;
use crate::schema::device_requests;

/// The most old wrong codes that a new one deletes. It is one, so that the table does not grow.
const MAX_PURGED: i64 = 100;

/// Finds a request.
pub(crate) fn find(
    connection: &mut SqliteConnection,
    id: DeviceRequestId,
) -> Result<Option<DeviceRequest>, SqliteError> {
    Ok(row(connection, id)?.map(|row| row.facts()).transpose()?)
}

/// Finds the row of a request, which may be corrupt.
pub(crate) fn row(connection: &mut SqliteConnection, id: DeviceRequestId) -> QueryResult<Option<RequestRow>> {
    device_requests::table.find(id.to_string()).get_result(connection).optional()
}

/// Whether a request is there and completed.
pub(super) fn is_completed(connection: &mut SqliteConnection, id: &str) -> QueryResult<bool> {
    let completed = device_requests::status.eq(DeviceRequestStatus::Completed.as_str());
    diesel::select(exists(device_requests::table.find(id).filter(completed))).get_result(connection)
}

/// Completes a request, which must be there.
pub(crate) fn complete(
    connection: &mut SqliteConnection,
    id: DeviceRequestId,
    at: Timestamp,
    by: UserId,
) -> QueryResult<()> {
    let update = diesel::update(device_requests::table.find(id.to_string()))
        .set((
            device_requests::status.eq(DeviceRequestStatus::Completed.as_str()),
            device_requests::updated_at.eq(rfc3339_millis(at)),
            device_requests::updated_by.eq(by.to_string()),
        ))
        .returning(device_requests::id);
    Prepared(update).get_result::<String>(connection).map(drop)
}

/// The wrong codes that count, and the time of the oldest.
macro_rules! counted {
    ($query:expr) => {
        wrong_codes::table
            .filter(wrong_codes::request_id.eq($query.request.to_string()))
            .filter(wrong_codes::given_at.gt(rfc3339_millis($query.codes_since)))
            .select((count_star(), min(wrong_codes::given_at)))
    };
}

/// How many wrong codes count for a request, and the time of the oldest.
pub(crate) fn count_wrong_codes(
    connection: &mut SqliteConnection,
    query: &RequestQuery,
) -> Result<(u32, Option<Timestamp>), SqliteError> {
    let (count, oldest): (i64, Option<String>) = counted!(query).get_result(connection)?;
    let request = query.request.to_string();
    let location = Location { table: "device_request_wrong_codes", id: &request };
    let oldest = oldest.map(|oldest| location.parse("given_at", &oldest)).transpose()?;
    Ok((u32::try_from(count).unwrap_or(u32::MAX), oldest))
}

/// Some of the wrong codes of any request that do not count any more.
macro_rules! expired {
    ($since:expr) => {
        wrong_codes::table
            .filter(wrong_codes::given_at.le(rfc3339_millis($since)))
            .order(wrong_codes::given_at)
            .limit(MAX_PURGED)
            .select(wrong_codes::sequence)
    };
}

/// Counts a wrong code, and deletes some that do not count any more.
pub(crate) fn add_wrong_code(
    connection: &mut SqliteConnection,
    query: &RequestQuery,
    at: Timestamp,
) -> QueryResult<()> {
    let expired: Vec<i64> = expired!(query.codes_since).load(connection)?;
    if !expired.is_empty() {
        let expired = wrong_codes::table.filter(wrong_codes::sequence.eq_any(expired));
        diesel::delete(expired).execute(connection)?;
    }
    let new =
        (wrong_codes::request_id.eq(query.request.to_string()), wrong_codes::given_at.eq(rfc3339_millis(at)));
    diesel::insert_into(wrong_codes::table).values(new).execute(connection).map(drop)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
