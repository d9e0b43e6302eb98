//! Looking up and loading legal entities.

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types;
use esoz_kernel::{LegalEntityId, Put, StoreError};
use esoz_legal_entity::{
    LegalEntities, LegalEntity, LegalEntityRecord, LegalEntityRegistry, LegalEntityType,
};
use uuid::Uuid;

use crate::PostgresStore;
use crate::contract_division::import::put_all;
use crate::schema::legal_entities;
use crate::statement::{at_most_one, statement};
use crate::time::to_pg;

#[async_trait]
impl LegalEntities for PostgresStore {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        let query =
            legal_entities::table.find(id.uuid()).select((legal_entities::kind, legal_entities::status));
        let rows = self.connections.query::<(String, String), _>(query).await;
        let rows = rows.map_err(|failure| failure.during(format_args!("finding legal entity {id}")))?;
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

statement! {
    /// Stores a legal entity; gives whether it was new, and no row when it was there with the same content.
    PutLegalEntity {
        id: Uuid => sql_types::Uuid,
        name: String => sql_types::Text,
        edrpou: String => sql_types::Text,
        kind: String => sql_types::Text,
        status: &'static str => sql_types::Text,
        is_active: bool => sql_types::Bool,
        inserted_at: PgTimestamp => sql_types::Timestamptz,
        inserted_by: Uuid => sql_types::Uuid,
        updated_at: PgTimestamp => sql_types::Timestamptz,
        updated_by: Uuid => sql_types::Uuid,
    } -> sql_types::Bool;
    " INSERT INTO legal_entities AS stored
         (id, name, edrpou, type, status, is_active, inserted_at, inserted_by, updated_at, updated_by)
     SELECT id, name, edrpou, kind, status, is_active, inserted_at, inserted_by, updated_at, updated_by FROM args
     ON CONFLICT (id) DO UPDATE SET
         (name, edrpou, type, status, is_active, updated_at, updated_by) =
         (excluded.name, excluded.edrpou, excluded.type, excluded.status, excluded.is_active, excluded.updated_at,
          excluded.updated_by)
     WHERE (stored.name, stored.edrpou, stored.type, stored.status, stored.is_active, stored.updated_at,
            stored.updated_by) IS DISTINCT FROM
           (excluded.name, excluded.edrpou, excluded.type, excluded.status, excluded.is_active, excluded.updated_at,
            excluded.updated_by)
     RETURNING xmax = 0"
}

#[async_trait]
impl LegalEntityRegistry for PostgresStore {
    async fn put_legal_entities(&self, records: &[LegalEntityRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(
            self,
            records,
            "legal entity",
            |record| record.facts.id.uuid(),
            |record| PutLegalEntity {
                id: record.facts.id.uuid(),
                name: record.name.clone(),
                edrpou: record.edrpou.clone(),
                kind: record.facts.kind.as_str().to_owned(),
                status: record.facts.status.as_str(),
                is_active: record.is_active,
                inserted_at: to_pg(record.stamps.inserted_at),
                inserted_by: record.stamps.inserted_by.uuid(),
                updated_at: to_pg(record.stamps.updated_at),
                updated_by: record.stamps.updated_by.uuid(),
            },
        )
        .await
    }
}
