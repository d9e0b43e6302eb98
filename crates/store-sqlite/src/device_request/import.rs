use async_trait::async_trait;
use diesel::prelude::*;
use esoz_device_dispense::{DeviceRequestRecord, DeviceRequestStatus};
use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError};
use esoz_registries::Registry;

use super::query;
use super::row::RequestRow;
use crate::SqliteStore;
use crate::error::{SqliteError, is_check_violation};
use crate::prepared::Prepared;
use crate::rows::{put_all, put_row};
use crate::scan::scan_table;
use crate::schema::device_requests;

#[async_trait]
impl Registry<DeviceRequestRecord> for SqliteStore {
    async fn put(&self, records: &[DeviceRequestRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading device requests", records, put_request).await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<DeviceRequestRecord>, StoreError> {
        scan_table!(self, device_requests: RequestRow, after, limit)
    }
}

fn put_request(connection: &mut SqliteConnection, row: &RequestRow) -> Result<Put, SqliteError> {
    let is_outlasted = |status| DeviceRequestStatus::Completed.outlasts(status);
    if row.status.parse().is_ok_and(is_outlasted) && query::is_completed(connection, &row.id)? {
        return Ok(Put::Kept);
    }
    match put_row!(connection, device_requests, row: RequestRow) {
        // Of the table's checks this is the only one that a record can fail.
        Err(error) if is_check_violation(&error) => {
            Ok(Put::Refused("its quantity is not above zero".to_owned()))
        }
        put => Ok(put?),
    }
}
