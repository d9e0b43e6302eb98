//! Gathering the facts of an update and applying it.

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use esoz_contract_division::{
    Applied, Change, Contract, ContractDivision, ContractDivisions, Current, Division, Facts, Update,
};
use esoz_kernel::{
    ContractDivisionId, ContractId, DivisionId, LegalEntityId, Once, Recalled, Stamps, StoreError,
    StoreErrorKind, Timestamp, UserId,
};
use uuid::Uuid;

use crate::PostgresStore;
use crate::keys::KEY_IS_TAKEN;
use crate::statement::statement;
use crate::store::only;
use crate::time::{from_pg, to_pg};

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

statement! {
    /// Applies an update if what it needs is so; gives the record after it, or no row.
    ///
    /// Who comes second waits at the record, and then sees it as it has become: at the isolation level `read committed`, a
    /// row that is locked is given as it is once the lock is had, not as it was when the statement began. Each step
    /// takes its rows from the one before, so that the locks are taken in this order whatever the plan:
    /// 1. the record, for update;
    /// 2. the contract that it belongs to *then*, and the wanted one, in the order of their ids: for share, so that whoever is
    ///    changing one is waited for, and nobody changes one before we have committed;
    /// 3. the wanted division, likewise.
    ///
    /// Only then is what is expected compared. A contract or division that came into being after the statement began is not
    /// seen, and the update not applied; the next attempt sees it. The check of the pair is the unique index's.
    ///
    /// What the locks give must be joined, not asked for in subqueries: when the record has changed since the statement
    /// began, PostgreSQL looks at the join once more with the new record and the very rows that were locked.
    ///
    /// A key, if there is one, is kept with what was updated. Who finds it kept already fails whole, so that the update is taken back
    /// with its audit row; of two that come with one key the second waits here until the first has committed.
    ApplyUpdate {
        id: Uuid => SqlUuid,
        updated_at: PgTimestamp => Timestamptz,
        updated_by: Uuid => SqlUuid,
        request_id: String => Text,
        contract_kind: &'static str => Text,
        contract_id: Uuid => SqlUuid,
        division_id: Uuid => SqlUuid,
        key: Option<Vec<u8>> => Nullable<Bytea>,
        request: Option<Vec<u8>> => Nullable<Bytea>,
    } -> RecordSql;
    ", record AS MATERIALIZED (
         SELECT stored.id, stored.contract_id, stored.is_active
         FROM args JOIN contract_divisions AS stored ON stored.id = args.id
         FOR UPDATE OF stored)
     , contract AS MATERIALIZED (
         SELECT stored.id, stored.type, stored.contractor_legal_entity_id, stored.is_active
         FROM args CROSS JOIN record
         JOIN contracts AS stored ON stored.id IN (record.contract_id, args.contract_id)
         ORDER BY stored.id
         FOR SHARE OF stored)
     , division AS MATERIALIZED (
         SELECT stored.id, stored.legal_entity_id, stored.is_active
         FROM args CROSS JOIN (SELECT count(*) AS locked FROM contract) AS contracts
         JOIN divisions AS stored ON stored.id = args.division_id AND contracts.locked > 0
         FOR SHARE OF stored)
     , request AS MATERIALIZED (
         SELECT set_config('esoz.request_id', request_id, true) AS id FROM args)
     , updated AS (
     UPDATE contract_divisions AS target
     SET contract_id = args.contract_id, division_id = args.division_id,
         updated_at = args.updated_at, updated_by = args.updated_by
     FROM args CROSS JOIN request CROSS JOIN record CROSS JOIN division
     CROSS JOIN contract AS current CROSS JOIN contract AS wanted
     WHERE target.id = record.id
         AND record.is_active
         AND current.id = record.contract_id
         AND current.is_active
         AND current.type = args.contract_kind
         AND division.is_active
         AND division.legal_entity_id = wanted.contractor_legal_entity_id
         AND wanted.id = args.contract_id
         AND wanted.is_active
         AND wanted.type = args.contract_kind
     RETURNING
         target.id, target.contract_id, target.division_id, target.is_active,
         target.inserted_at, target.inserted_by, target.updated_at, target.updated_by)
     , kept AS (
         INSERT INTO idempotency_keys (
             key, request,
             id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by)
         SELECT args.key, args.request, updated.*
         FROM args CROSS JOIN updated WHERE args.key IS NOT NULL)
     SELECT * FROM updated"
}

#[async_trait]
impl ContractDivisions for PostgresStore {
    async fn facts(&self, id: ContractDivisionId, change: &Change) -> Result<Facts, StoreError> {
        let attempted = || format!("gathering the facts about contract division {id}");
        let query = FindFacts {
            id: id.uuid(),
            contract_id: change.contract_id.uuid(),
            division_id: change.division_id.uuid(),
        };
        let rows = self.look::<FactsRow, _>(query).await.map_err(|failure| failure.during(attempted()))?;
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
        let statement = ApplyUpdate {
            id: update.id.uuid(),
            updated_at: to_pg(update.at),
            updated_by: update.by.uuid(),
            request_id: update.request_id.as_str().to_owned(),
            contract_kind: update.expected.contract_kind.as_str(),
            contract_id: update.change.contract_id.uuid(),
            division_id: update.change.division_id.uuid(),
            key: update.once.map(|once| once.key().to_vec()),
            request: update.once.map(|once| once.request().to_vec()),
        };
        match self.change::<RecordRow, _>(statement).await {
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
                let recalled = match &update.once {
                    Some(once) => self.recalled(once, update.at).await?,
                    None => None,
                };
                Ok(recalled.map_or(Applied::Stale, Applied::Recalled))
            }
            Err(failure) => Err(failure.during(format_args!("updating contract division {}", update.id))),
        }
    }

    async fn recall(
        &self,
        once: &Once,
        now: Timestamp,
    ) -> Result<Option<Recalled<ContractDivision>>, StoreError> {
        self.recalled(once, now).await
    }
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
