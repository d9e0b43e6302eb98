use async_trait::async_trait;
use diesel::prelude::*;
use esoz_device_dispense::{Dispense, DispenseRegistry, EncodedDispense};
use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError, StoreErrorKind};

use super::document::{from_dispense, to_whole_dispense};
use super::query;
use crate::SqliteStore;
use crate::error::{SqliteError, is_check_violation};
use crate::rows::put_rows;
use crate::scan::{id_of, page};
use crate::schema::device_dispenses;

#[async_trait]
impl DispenseRegistry for SqliteStore {
    fn encode(&self, dispense: &Dispense) -> Result<EncodedDispense, String> {
        let document = from_dispense(dispense)?.into_bytes();
        Ok(EncodedDispense { id: dispense.id, document })
    }

    async fn put_encoded(&self, dispenses: Vec<EncodedDispense>) -> Result<Vec<Put>, StoreError> {
        let rows = dispenses.into_iter().map(Row::try_from).collect::<Result<_, _>>()?;
        put_rows(self, LOADING, rows, put).await
    }

    async fn scan_dispenses(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<Dispense>, StoreError> {
        let after = id_of(after);
        let scan = move |connection: &mut _| Ok(query::scan(connection, &after, limit)?);
        let (rows, has_more) = self.read("scanning device_dispenses", scan).await?;
        Ok(page(&rows, has_more, |(id, _)| id, |(id, document)| to_whole_dispense(id, document)))
    }
}

const LOADING: &str = "loading dispenses";

struct Row {
    id: String,
    document: String,
}

impl TryFrom<EncodedDispense> for Row {
    type Error = StoreError;

    fn try_from(dispense: EncodedDispense) -> Result<Self, StoreError> {
        let document = String::from_utf8(dispense.document);
        let document = document.map_err(|error| {
            StoreError::new(StoreErrorKind::Unexpected, LOADING).because(error.utf8_error())
        })?;
        Ok(Self { id: dispense.id.to_string(), document })
    }
}

fn put(connection: &mut SqliteConnection, Row { id, document }: &Row) -> Result<Put, SqliteError> {
    let inserted = diesel::insert_into(device_dispenses::table)
        .values((device_dispenses::id.eq(id), device_dispenses::document.eq(document)))
        .on_conflict(device_dispenses::id)
        .do_nothing()
        .execute(connection);
    match inserted {
        Ok(0) => Ok(Put::Kept),
        Ok(_) => Ok(Put::Created),
        // Of the table's checks this is the only one that a document made by `from_dispense` can fail.
        Err(error) if is_check_violation(&error) => {
            Ok(Put::Refused("status_history is not a list".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}
