//! The statements that apply updates: one for an update that is done alone and waits for locks, one for an update that comes first and does
//! not, and one for several that share a commit.
//!
//! All three take their locks in the same order and compare the same; so does the contract suite say of each.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use esoz_contract_division::Update;
use uuid::Uuid;

use crate::contract_divisions::{RecordRow, RecordSql};
use crate::statement::statement;
use crate::time::to_pg;

/// Declares a statement that applies one update. `$locked` says what is to become of a lock that is not free.
macro_rules! apply_update {
    ($(#[$doc:meta])* $name:ident, $locked:literal) => {
        statement! {
            $(#[$doc])*
            $name {
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
            concat!(", record AS MATERIALIZED (
                 SELECT stored.id, stored.contract_id, stored.is_active
                 FROM args JOIN contract_divisions AS stored ON stored.id = args.id
                 FOR UPDATE OF stored", $locked, ")
             , contract AS MATERIALIZED (
                 SELECT stored.id, stored.type, stored.contractor_legal_entity_id, stored.is_active
                 FROM args CROSS JOIN record
                 JOIN contracts AS stored ON stored.id IN (record.contract_id, args.contract_id)
                 ORDER BY stored.id
                 FOR SHARE OF stored", $locked, ")
             , division AS MATERIALIZED (
                 SELECT stored.id, stored.legal_entity_id, stored.is_active
                 FROM args CROSS JOIN (SELECT count(*) AS locked FROM contract) AS contracts
                 JOIN divisions AS stored ON stored.id = args.division_id AND contracts.locked > 0
                 FOR SHARE OF stored", $locked, ")
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
             SELECT * FROM updated")
        }

        impl From<&Update> for $name {
            fn from(update: &Update) -> Self {
                Self {
                    id: update.id.uuid(),
                    updated_at: to_pg(update.at),
                    updated_by: update.by.uuid(),
                    request_id: update.request_id.as_str().to_owned(),
                    contract_kind: update.expected.contract_kind.as_str(),
                    contract_id: update.change.contract_id.uuid(),
                    division_id: update.change.division_id.uuid(),
                    key: update.idempotency.map(|idempotency| idempotency.key().to_vec()),
                    request: update.idempotency.map(|idempotency| idempotency.request().to_vec()),
                }
            }
        }
    };
}

apply_update! {
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
    ApplyUpdate, ""
}

apply_update! {
    /// The same, but that no lock is waited for: what somebody else holds counts as not there. So no row may mean that it is held.
    TryUpdate, " SKIP LOCKED"
}

statement! {
    /// Applies several updates, each if what it needs is so, in one commit: all that it applies or, if anything fails, none.
    ///
    /// The steps are those of [`ApplyUpdate`], and no lock is waited for: whose record, contract or division is held by somebody else is
    /// passed over. No two of the updates may be of one record, to one pair or under one key. An update whose pair or key is
    /// known to be taken is passed over as well, lest it fail the others; who takes it at this moment does.
    ///
    /// Gives one row for each, with its place (from 1), whether what it needs is so, and the record after it. What is held, or not there,
    /// leaves that open; what speaks against it for certain is told by `false`.
    ///
    /// The rows to lock are joined, for the reason that [`ApplyUpdate`] has, and in the order of their ids, so that those who share
    /// their commits at the same time do not wait in a circle.
    ApplyUpdates {
        ids: Vec<Uuid> => Array<SqlUuid>,
        updated_ats: Vec<PgTimestamp> => Array<Timestamptz>,
        updated_bys: Vec<Uuid> => Array<SqlUuid>,
        request_ids: Vec<String> => Array<Text>,
        contract_kinds: Vec<&'static str> => Array<Text>,
        contract_ids: Vec<Uuid> => Array<SqlUuid>,
        division_ids: Vec<Uuid> => Array<SqlUuid>,
        keys: Vec<Option<Vec<u8>>> => Array<Nullable<Bytea>>,
        requests: Vec<Option<Vec<u8>>> => Array<Nullable<Bytea>>,
    } -> (BigInt, Nullable<Bool>, Nullable<RecordSql>);
    ", job AS MATERIALIZED (
         SELECT job.* FROM args CROSS JOIN LATERAL unnest(
             args.ids, args.updated_ats, args.updated_bys, args.request_ids, args.contract_kinds,
             args.contract_ids, args.division_ids, args.keys, args.requests)
         WITH ORDINALITY AS job(
             id, updated_at, updated_by, request_id, contract_kind,
             contract_id, division_id, key, request, place))
     , record AS MATERIALIZED (
         SELECT stored.id, stored.contract_id, stored.is_active
         FROM job JOIN contract_divisions AS stored ON stored.id = job.id
         ORDER BY stored.id
         FOR UPDATE OF stored SKIP LOCKED)
     , contract AS MATERIALIZED (
         SELECT stored.id, stored.type, stored.contractor_legal_entity_id, stored.is_active
         FROM (
             SELECT record.contract_id AS id FROM record
             UNION SELECT job.contract_id FROM job JOIN record ON record.id = job.id) AS needed
         JOIN contracts AS stored ON stored.id = needed.id
         ORDER BY stored.id
         FOR SHARE OF stored SKIP LOCKED)
     , division AS MATERIALIZED (
         SELECT stored.id, stored.legal_entity_id, stored.is_active
         FROM (
             SELECT DISTINCT job.division_id AS id
             FROM job JOIN record ON record.id = job.id
             CROSS JOIN (SELECT count(*) AS locked FROM contract) AS contracts
             WHERE contracts.locked > 0) AS needed
         JOIN divisions AS stored ON stored.id = needed.id
         ORDER BY stored.id
         FOR SHARE OF stored SKIP LOCKED)
     , checked AS MATERIALIZED (
         SELECT job.*,
             record.is_active
                 AND current.is_active
                 AND current.type = job.contract_kind
                 AND division.is_active
                 AND division.legal_entity_id = wanted.contractor_legal_entity_id
                 AND wanted.is_active
                 AND wanted.type = job.contract_kind AS is_met
         FROM job
         LEFT JOIN record ON record.id = job.id
         LEFT JOIN contract AS current ON current.id = record.contract_id
         LEFT JOIN contract AS wanted ON wanted.id = job.contract_id
         LEFT JOIN division ON division.id = job.division_id)
     , free AS MATERIALIZED (
         SELECT checked.* FROM checked
         WHERE checked.is_met
             AND NOT EXISTS (SELECT FROM idempotency_keys AS kept WHERE kept.key = checked.key)
             AND NOT EXISTS (
                 SELECT FROM contract_divisions AS other
                 WHERE other.contract_id = checked.contract_id AND other.division_id = checked.division_id
                     AND other.is_active AND other.id <> checked.id))
     , request AS MATERIALIZED (
         SELECT set_config('esoz.requests', string_agg(chr(10) || free.id || ' ' || free.request_id, ''), true)
         FROM free)
     , updated AS (
         UPDATE contract_divisions AS target
         SET contract_id = free.contract_id, division_id = free.division_id,
             updated_at = free.updated_at, updated_by = free.updated_by
         FROM request CROSS JOIN free
         WHERE target.id = free.id
         RETURNING
             free.place, free.key, free.request,
             target.id, target.contract_id, target.division_id, target.is_active,
             target.inserted_at, target.inserted_by, target.updated_at, target.updated_by)
     , kept AS (
         INSERT INTO idempotency_keys (
             key, request,
             id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by)
         SELECT
             key, request,
             id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by
         FROM updated WHERE key IS NOT NULL)
     SELECT
         checked.place, checked.is_met,
         updated.id, updated.contract_id, updated.division_id, updated.is_active,
         updated.inserted_at, updated.inserted_by, updated.updated_at, updated.updated_by
     FROM checked LEFT JOIN updated ON updated.place = checked.place"
}

/// What became of one of several updates: its place, whether what it needs is so, the record after it.
pub(crate) type SharedRow = (i64, Option<bool>, Option<RecordRow>);

impl ApplyUpdates {
    pub(crate) fn of<'a>(updates: impl Iterator<Item = &'a Update> + Clone) -> Self {
        fn each<'a, T>(
            updates: &(impl Iterator<Item = &'a Update> + Clone),
            part: impl Fn(&'a Update) -> T,
        ) -> Vec<T> {
            updates.clone().map(part).collect()
        }
        Self {
            ids: each(&updates, |update| update.id.uuid()),
            updated_ats: each(&updates, |update| to_pg(update.at)),
            updated_bys: each(&updates, |update| update.by.uuid()),
            request_ids: each(&updates, |update| update.request_id.as_str().to_owned()),
            contract_kinds: each(&updates, |update| update.expected.contract_kind.as_str()),
            contract_ids: each(&updates, |update| update.change.contract_id.uuid()),
            division_ids: each(&updates, |update| update.change.division_id.uuid()),
            keys: each(&updates, |update| update.idempotency.map(|idempotency| idempotency.key().to_vec())),
            requests: each(&updates, |update| {
                update.idempotency.map(|idempotency| idempotency.request().to_vec())
            }),
        }
    }
}
