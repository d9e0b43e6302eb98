use async_trait::async_trait;
use diesel::prelude::*;
use esoz_kernel::{LegalEntityId, Put, ScanCursor, ScanPage, StoreError};
use esoz_legal_entity::{
    LegalEntities, LegalEntity, LegalEntityRecord, LegalEntityRegistry, LegalEntityType,
};

use crate::SqliteStore;
use crate::error::SqliteError;
use crate::prepared::Prepared;
use crate::rows::{Location, put_all, put_row, stamp_columns};
use crate::scan::scan_table;
use crate::schema::legal_entities;

#[derive(Clone, Queryable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = legal_entities)]
struct Row {
    id: String,
    name: String,
    edrpou: String,
    kind: String,
    status: String,
    is_active: bool,
    #[diesel(skip_update)]
    inserted_at: String,
    #[diesel(skip_update)]
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&LegalEntityRecord> for Row {
    fn from(record: &LegalEntityRecord) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        Self {
            id: record.facts.id.to_string(),
            name: record.name.clone(),
            edrpou: record.edrpou.clone(),
            kind: record.facts.kind.as_str().to_owned(),
            status: record.facts.status.as_str().to_owned(),
            is_active: record.is_active,
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl Row {
    fn record(&self) -> Result<LegalEntityRecord, StoreError> {
        let location = Location { table: "legal_entities", id: &self.id };
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        Ok(LegalEntityRecord {
            facts: LegalEntity {
                id: location.parse("id", &self.id)?,
                kind: LegalEntityType::new(&self.kind),
                status: location.parse("status", &self.status)?,
            },
            name: self.name.clone(),
            edrpou: self.edrpou.clone(),
            is_active: self.is_active,
            stamps: location.stamps(stamps.map(String::as_str))?,
        })
    }
}

#[async_trait]
impl LegalEntities for SqliteStore {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        let row: Option<(String, String)> = self
            .read(format!("finding legal entity {id}"), move |connection| {
                let columns = (legal_entities::kind, legal_entities::status);
                let row = legal_entities::table.find(id.to_string()).select(columns).get_result(connection);
                Ok(row.optional()?)
            })
            .await?;
        row.map(|(kind, status)| {
            let location = Location { table: "legal_entities", id: &id.to_string() };
            Ok(LegalEntity {
                id,
                kind: LegalEntityType::new(kind),
                status: location.parse("status", &status)?,
            })
        })
        .transpose()
    }
}

#[async_trait]
impl LegalEntityRegistry for SqliteStore {
    async fn put_legal_entities(&self, records: &[LegalEntityRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading legal entities", records, put).await
    }

    async fn scan_legal_entities(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<LegalEntityRecord>, StoreError> {
        scan_table!(self, legal_entities: Row, after, limit)
    }
}

fn put(connection: &mut SqliteConnection, row: &Row) -> Result<Put, SqliteError> {
    Ok(put_row!(connection, legal_entities, row: Row)?)
}
