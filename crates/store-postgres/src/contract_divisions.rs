//! Gathering the facts of an update and applying it.

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use esoz_batch::Dropped;
use esoz_contract_division::{
    Applied, Change, Contract, ContractDivision, ContractDivisions, Current, Division, Facts, Update,
};
use esoz_kernel::{
    ContractDivisionId, ContractId, DivisionId, IdempotentRequest, LegalEntityId, Replay, Stamps, StoreError,
    StoreErrorKind, Timestamp, UserId,
};
use uuid::Uuid;

use crate::PostgresStore;
use crate::keys::KEY_IS_TAKEN;
use crate::statement::statement;
use crate::store::only;
use crate::time::from_pg;
use crate::update_statements::ApplyUpdate;
use crate::updates::Tried;

pub(crate) type RecordSql = (SqlUuid, SqlUuid, SqlUuid, Bool, Timestamptz, SqlUuid, Timestamptz, SqlUuid);
pub(crate) type RecordRow = (Uuid, Uuid, Uuid, bool, PgTimestamp, Uuid, PgTimestamp, Uuid);
type ContractSql = (SqlUuid, Text, SqlUuid, Bool);
type ContractRow = (Uuid, String, Uuid, bool);
type DivisionSql = (SqlUuid, SqlUuid, Bool);
type DivisionRow = (Uuid, Uuid, bool);

statement! {
    /// All that the rules read, as of one instant because it is one statement.
    FindFacts {
        id: Uuid => SqlUuid,
        contract_id: Uuid => SqlUuid,
        division_id: Uuid => SqlUuid,
    } -> (Nullable<RecordSql>, Nullable<ContractSql>, Nullable<DivisionSql>, Nullable<ContractSql>, Bool);
    " SELECT
         record.id, record.contract_id, record.division_id, record.is_active,
         record.inserted_at, record.inserted_by, record.updated_at, record.updated_by,
         current.id, current.type, current.contractor_legal_entity_id, current.is_active,
         division.id, division.legal_entity_id, division.is_active,
         wanted.id, wanted.type, wanted.contractor_legal_entity_id, wanted.is_active,
         EXISTS (
             SELECT FROM contract_divisions AS other
             WHERE other.contract_id = args.contract_id AND other.division_id = args.division_id
                 AND other.is_active AND other.id <> args.id)
     FROM args
     LEFT JOIN contract_divisions AS record ON record.id = args.id
     LEFT JOIN contracts AS current ON current.id = record.contract_id
     LEFT JOIN divisions AS division ON division.id = args.division_id
     LEFT JOIN contracts AS wanted ON wanted.id = args.contract_id"
}

type FactsRow = (Option<RecordRow>, Option<ContractRow>, Option<DivisionRow>, Option<ContractRow>, bool);

#[async_trait]
impl ContractDivisions for PostgresStore {
    async fn facts(&self, id: ContractDivisionId, change: &Change) -> Result<Facts, StoreError> {
        let attempted = || format!("gathering the facts about contract division {id}");
        let query = FindFacts {
            id: id.uuid(),
            contract_id: change.contract_id.uuid(),
            division_id: change.division_id.uuid(),
        };
        let rows = self
            .connections
            .look::<FactsRow, _>(query)
            .await
            .map_err(|failure| failure.during(attempted()))?;
        let Some((record, current, division, wanted, is_pair_taken)) = only(rows) else {
            // It starts from one row and only joins to it.
            return Err(StoreError::new(StoreErrorKind::Unexpected, attempted()));
        };
        let current = match record {
            Some(row) => Some(Current {
                contract: contract(current.ok_or_else(|| corrupt_record(row.0, "contract_id"))?)?,
                record: contract_division(row)?,
            }),
            None => None,
        };
        Ok(Facts {
            current,
            division: division.map(|(id, legal_entity, is_active)| Division {
                id: DivisionId::new(id),
                legal_entity: LegalEntityId::new(legal_entity),
                is_active,
            }),
            contract: wanted.map(contract).transpose()?,
            is_pair_taken,
        })
    }

    async fn apply(&self, update: &Update) -> Result<Applied, StoreError> {
        match self.updates.run(update).await {
            Ok(Tried::Told(answer)) => answer,
            // Here, in the caller's own time, where it holds up nobody.
            Ok(Tried::ToBeDoneAlone) => self.apply_alone(update).await,
            Err(missed) => {
                let kind = match missed {
                    Dropped::QueueTimeout => StoreErrorKind::Unavailable,
                    Dropped::Aborted => StoreErrorKind::Unexpected,
                };
                Err(StoreError::new(kind, attempted_update(update)).because(missed))
            }
        }
    }

    async fn replay(
        &self,
        idempotency: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<Replay<ContractDivision>>, StoreError> {
        self.replay(idempotency, now).await
    }
}

impl PostgresStore {
    /// Applies an update in a statement of its own, which waits for whoever holds what it needs.
    async fn apply_alone(&self, update: &Update) -> Result<Applied, StoreError> {
        match self.connections.change::<RecordRow, _>(ApplyUpdate::from(update)).await {
            Ok(rows) => match only(rows) {
                Some(row) => Ok(Applied::Applied(contract_division(row)?)),
                None => Ok(Applied::Stale),
            },
            // Another active record has the pair.
            Err(failure) if failure.violated() == Some("contract_divisions_active_pair") => {
                Ok(Applied::Stale)
            }
            Err(failure) if failure.violated() == Some(KEY_IS_TAKEN) => {
                // It may have been forgotten in between: then another attempt is as good as a first one.
                let replay = match &update.idempotency {
                    Some(idempotency) => self.replay(idempotency, update.at).await?,
                    None => None,
                };
                Ok(replay.map_or(Applied::Stale, Applied::Replayed))
            }
            Err(failure) => Err(failure.during(attempted_update(update))),
        }
    }
}

/// What is said to have been attempted when an update fails.
pub(crate) fn attempted_update(update: &Update) -> String {
    format!("updating contract division {}", update.id)
}

fn contract((id, kind, contractor, is_active): ContractRow) -> Result<Contract, StoreError> {
    Ok(Contract {
        id: ContractId::new(id),
        kind: kind.parse().map_err(|_| StoreError::corrupt("contracts", id, "type"))?,
        contractor: LegalEntityId::new(contractor),
        is_active,
    })
}

pub(crate) fn contract_division(row: RecordRow) -> Result<ContractDivision, StoreError> {
    let (id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by) = row;
    Ok(ContractDivision {
        id: ContractDivisionId::new(id),
        contract_id: ContractId::new(contract_id),
        division_id: DivisionId::new(division_id),
        is_active,
        stamps: Stamps {
            inserted_at: from_pg(inserted_at).ok_or_else(|| corrupt_record(id, "inserted_at"))?,
            inserted_by: UserId::new(inserted_by),
            updated_at: from_pg(updated_at).ok_or_else(|| corrupt_record(id, "updated_at"))?,
            updated_by: UserId::new(updated_by),
        },
    })
}

fn corrupt_record(id: Uuid, column: &str) -> StoreError {
    StoreError::corrupt("contract_divisions", id, column)
}
