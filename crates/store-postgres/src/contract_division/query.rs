//! Queries: find a record, lock and read the facts of writes.

use diesel::sql_types::{Array, Bytea, Nullable, Uuid as SqlUuid};
use esoz_contract_division::Write;
use uuid::Uuid;

use super::row::{ContractSql, FactsSql, RecordSql};
use crate::statement::statement;

statement! {
    /// Finds a record with its contract.
    FindCurrent { id: Uuid => SqlUuid, } -> (RecordSql, ContractSql);
    " SELECT record.id, record.contract_id, record.division_id, record.is_active,
             record.inserted_at, record.inserted_by, record.updated_at, record.updated_by,
             current.id, current.type, current.contractor_legal_entity_id, current.is_active
         FROM args
         JOIN contract_divisions AS record ON record.id = args.id
         JOIN contracts AS current ON current.id = record.contract_id"
}

/// Declares the query. `$locked` is the lock wait policy of its locking clauses.
macro_rules! lock_facts {
    ($(#[$doc:meta])* $name:ident, $locked:literal) => {
        statement! {
            $(#[$doc])*
            $name {
                ids: Vec<Uuid> => Array<SqlUuid>,
                contract_ids: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
                division_ids: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
                keys: Vec<Option<Vec<u8>>> => Array<Nullable<Bytea>>,
            } -> FactsSql;
            concat!(", job AS MATERIALIZED (
                 SELECT job.* FROM args CROSS JOIN LATERAL unnest(
                     args.ids, args.contract_ids, args.division_ids, args.keys)
                 WITH ORDINALITY AS job(id, contract_id, division_id, key, place))
             , record AS MATERIALIZED (
                 SELECT stored.*
                 FROM job JOIN contract_divisions AS stored ON stored.id = job.id
                 ORDER BY stored.id
                 FOR UPDATE OF stored", $locked, ")
             , contract AS MATERIALIZED (
                 SELECT stored.id, stored.type, stored.contractor_legal_entity_id, stored.is_active
                 FROM (SELECT contract_id AS id FROM record UNION SELECT contract_id FROM job) AS needed
                 JOIN contracts AS stored ON stored.id = needed.id
                 ORDER BY stored.id
                 FOR SHARE OF stored", $locked, ")
             , division AS MATERIALIZED (
                 SELECT stored.id, stored.legal_entity_id, stored.is_active
                 FROM (SELECT DISTINCT job.division_id AS id
                     FROM job CROSS JOIN (SELECT count(*) AS locked FROM contract) AS contracts
                     WHERE contracts.locked >= 0) AS needed
                 JOIN divisions AS stored ON stored.id = needed.id
                 ORDER BY stored.id
                 FOR SHARE OF stored", $locked, ")
             SELECT
                 record.id, record.contract_id, record.division_id, record.is_active,
                 record.inserted_at, record.inserted_by, record.updated_at, record.updated_by,
                 current.id, current.type, current.contractor_legal_entity_id, current.is_active,
                 division.id, division.legal_entity_id, division.is_active,
                 wanted.id, wanted.type, wanted.contractor_legal_entity_id, wanted.is_active,
                 EXISTS (
                     SELECT FROM contract_divisions AS other
                     WHERE other.contract_id = job.contract_id AND other.division_id = job.division_id
                         AND other.is_active AND other.id <> job.id),
                 (record.id IS NULL AND EXISTS (SELECT FROM contract_divisions AS held WHERE held.id = job.id))
                     OR (record.id IS NOT NULL AND current.id IS NULL)
                     OR (division.id IS NULL
                         AND EXISTS (SELECT FROM divisions AS held WHERE held.id = job.division_id))
                     OR (wanted.id IS NULL
                         AND EXISTS (SELECT FROM contracts AS held WHERE held.id = job.contract_id)),
                 kept.request, kept.updated_at,
                 coalesce(answer.id, kept.id), coalesce(answer.contract_id, kept.contract_id),
                 coalesce(answer.division_id, kept.division_id), coalesce(answer.is_active, kept.is_active),
                 coalesce(answer.inserted_at, kept.inserted_at), coalesce(answer.inserted_by, kept.inserted_by),
                 coalesce(answer.updated_at, kept.updated_at), coalesce(answer.updated_by, kept.updated_by)
             FROM job
             LEFT JOIN record ON record.id = job.id
             LEFT JOIN contract AS current ON current.id = record.contract_id
             LEFT JOIN division ON division.id = job.division_id
             LEFT JOIN contract AS wanted ON wanted.id = job.contract_id
             LEFT JOIN idempotency_keys AS kept ON kept.key = job.key
             LEFT JOIN LATERAL json_populate_record(NULL::contract_divisions, kept.answer::json) AS answer ON true
             ORDER BY job.place")
        }

        impl $name {
            pub(super) fn of(writes: &[&Write]) -> Self {
                let each = |part: fn(&Write) -> Option<Uuid>| writes.iter().map(|write| part(write)).collect();
                Self {
                    ids: writes.iter().map(|write| write.id.uuid()).collect(),
                    contract_ids: each(|write| write.pair.map(|pair| pair.contract_id.uuid())),
                    division_ids: each(|write| write.pair.map(|pair| pair.division_id.uuid())),
                    keys: writes
                        .iter()
                        .map(|write| write.idempotency.map(|idempotency| idempotency.key().to_vec()))
                        .collect(),
                }
            }
        }
    };
}

lock_facts! {
    /// Locks and reads the facts of several writes, in their order, and the idempotency records of their keys. Skips rows that another
    /// transaction has locked, and reports the writes that need one.
    ///
    /// Each step takes its rows from the one before, so that the order of locks does not depend on the plan:
    /// 1. the records, for update;
    /// 2. the contracts that they belong to *then*, and the wanted ones, for share, so that none changes before the commit;
    /// 3. the wanted divisions, likewise.
    ///
    /// Within a step the locks are taken in the order of ids. A locked row is read as it is once its lock is taken (isolation level
    /// `read committed`), everything else as of the start of the query.
    LockFacts, " SKIP LOCKED"
}

lock_facts! {
    /// Waits for rows that another transaction has locked. Rows without a lock may then be read as they were before the wait, so the query
    /// runs twice: the second run has all locks and reads the current rows.
    LockFactsWaiting, ""
}
