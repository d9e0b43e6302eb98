//! Looks up and loads legal entities.

use async_trait::async_trait;
use diesel::prelude::*;
use esoz_kernel::{LegalEntityId, Put, ScanCursor, ScanPage, StoreError};
use esoz_legal_entity::{
    LegalEntities, LegalEntity, LegalEntityRecord, LegalEntityRegistry, LegalEntityType,
};

use crate::PostgresStore;
use crate::columns::{Values, each};
use crate::error::During as _;
use crate::scan::{Location, StampColumns, page, scan_table};
use crate::schema::legal_entities;
use crate::statement::at_most_one;
use crate::upsert::Table;
use uuid::Uuid;

#[async_trait]
impl LegalEntities for PostgresStore {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        let query =
            legal_entities::table.find(id.uuid()).select((legal_entities::kind, legal_entities::status));
        let rows = self.connections.query::<(String, String), _>(query).await;
        let rows = rows.during(format_args!("finding legal entity {id}"))?;
        at_most_one(rows)
            .map(|(kind, status)| {
                let corrupt = |_| StoreError::corrupt("legal_entities", id, "status");
                Ok(LegalEntity {
                    id,
                    kind: LegalEntityType::new(kind),
                    status: status.parse().map_err(corrupt)?,
                })
            })
            .transpose()
    }
}

#[async_trait]
impl LegalEntityRegistry for PostgresStore {
    async fn put_legal_entities(&self, records: &[LegalEntityRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&TABLE, records).await
    }

    async fn scan_legal_entities(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<LegalEntityRecord>, StoreError> {
        let facts = (legal_entities::id, legal_entities::kind, legal_entities::status);
        let others = (legal_entities::name, legal_entities::edrpou, legal_entities::is_active);
        let stamps = (
            legal_entities::inserted_at,
            legal_entities::inserted_by,
            legal_entities::updated_at,
            legal_entities::updated_by,
        );
        let rows = scan_table!(self, legal_entities: Row, after, limit, (facts, others, stamps))?;
        Ok(page(rows, limit, |row| row.0.0, record))
    }
}

/// Facts, other columns and stamps.
type Row = ((Uuid, String, String), (String, String, bool), StampColumns);

fn record(
    ((id, kind, status), (name, edrpou, is_active), stamps): Row,
) -> Result<LegalEntityRecord, StoreError> {
    let location = Location { table: "legal_entities", id };
    Ok(LegalEntityRecord {
        facts: LegalEntity {
            id: LegalEntityId::new(id),
            kind: LegalEntityType::new(kind),
            status: location.parse("status", &status)?,
        },
        name,
        edrpou,
        is_active,
        stamps: location.stamps(stamps)?,
    })
}

static TABLE: Table<LegalEntityRecord> = Table {
    name: "legal_entities",
    record: "legal entity",
    id: |record| record.facts.id.uuid(),
    stamps: |record| record.stamps,
    columns: |records| {
        vec![
            ("name", Values::Text(each(records, |record| record.name.clone()))),
            ("edrpou", Values::Text(each(records, |record| record.edrpou.clone()))),
            ("type", Values::Text(each(records, |record| record.facts.kind.as_str().to_owned()))),
            ("status", Values::Text(each(records, |record| record.facts.status.as_str().to_owned()))),
            ("is_active", Values::Bool(each(records, |record| Some(record.is_active)))),
        ]
    },
    updates: true,
    is_audited: false,
};
