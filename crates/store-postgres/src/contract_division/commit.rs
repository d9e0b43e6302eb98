//! Decides and stores writes of contract divisions in a transaction of two round trips (docs/adr/0020).

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use esoz_contract_division::{ContractDivision, Refusal, Write};
use esoz_kernel::idempotency::expired_until;
use esoz_kernel::{StoreError, Written};
use uuid::Uuid;

use super::query::{LockFacts, LockFactsWaiting};
use super::row::{FactsRow, Lookup, lookup};
use crate::connection::Connection;
use crate::error::Failure;
use crate::pool::Connections;
use crate::statement::statement;
use crate::time::to_pg;

pub(super) type Outcome = Result<Written<ContractDivision, Refusal>, StoreError>;

/// The result of a write in one transaction.
pub(super) enum Attempt {
    /// The write has its outcome.
    Ended(Outcome),
    /// Nothing was written: a concurrent write holds a lock that it needs, or conflicts with it.
    Contended,
}

/// How a query treats a row that another transaction has locked.
#[derive(Clone, Copy)]
pub(super) enum LockWait {
    SkipLocked,
    Wait,
}

/// Runs writes in transactions.
#[derive(Clone)]
pub(super) struct Transactions {
    pub(super) connections: Connections,
}

impl Transactions {
    /// Decides the writes under their locks and commits all accepted ones or, if anything fails, none. No two may share a record, a pair or a
    /// key.
    pub(super) async fn transact(
        &self,
        writes: &[&Write],
        lock_wait: LockWait,
    ) -> Result<Vec<Attempt>, Failure> {
        let mut connection = self.connections.connection().await?;
        let mut rows = lock_facts(&mut connection, writes, lock_wait).await;
        if rows.is_err() && connection.lost_before_start() {
            connection = self.connections.replace(connection).await?;
            rows = lock_facts(&mut connection, writes, lock_wait).await;
        }
        let mut accepted = Vec::new();
        let decide = |(write, row)| decide(write, row, lock_wait, &mut accepted);
        let attempts = writes.iter().copied().zip(rows?).map(decide).collect();
        if accepted.is_empty() {
            // If the rollback fails, the connection is closed, which rolls back as well.
            drop(connection.roll_back().await);
            return Ok(attempts);
        }
        let written: Vec<i64> = connection.commit_with(StoreRecords::of(&accepted)).await?;
        if written.first().copied() == i64::try_from(accepted.len()).ok() {
            Ok(attempts)
        } else {
            Err(Failure::conflict("the transaction had ended before the records were written"))
        }
    }
}

async fn lock_facts(
    connection: &mut Connection,
    writes: &[&Write],
    lock_wait: LockWait,
) -> Result<Vec<FactsRow>, Failure> {
    match lock_wait {
        LockWait::SkipLocked => connection.begin_with(vec![LockFacts::of(writes)]).await,
        LockWait::Wait => {
            connection.begin_with(vec![LockFactsWaiting::of(writes), LockFactsWaiting::of(writes)]).await
        }
    }
}

/// Decides a write, and adds the record of an accepted one to those to be stored.
fn decide<'a>(
    write: &'a Write,
    row: FactsRow,
    lock_wait: LockWait,
    accepted: &mut Vec<Accepted<'a>>,
) -> Attempt {
    let facts = match lookup(write, row) {
        Ok(Lookup::Replay(replay)) => return Attempt::Ended(Ok(replay.into())),
        Ok(Lookup::Locked) => return Attempt::Contended,
        Ok(Lookup::Facts(facts)) => facts,
        Err(corrupt) => return Attempt::Ended(Err(corrupt)),
    };
    Attempt::Ended(Ok(match (write.decide)(&facts) {
        Ok(record) => {
            accepted.push(Accepted { write, record, is_new: facts.current.is_none() });
            Written::Applied(record)
        }
        // Keys are read as of the start of the query, locked rows as they are now: the refusal may be an effect of the same request.
        Err(_) if write.idempotency.is_some() && matches!(lock_wait, LockWait::SkipLocked) => {
            return Attempt::Contended;
        }
        Err(refusal) => Written::Refused(refusal),
    }))
}

/// An accepted write, with the record after it.
struct Accepted<'a> {
    write: &'a Write,
    record: ContractDivision,
    is_new: bool,
}

statement! {
    /// Stores the records after several writes, with their audit rows and idempotency records; returns how many.
    ///
    /// It fails unless the changes are audited. It stores nothing outside the transaction that [`Connection::begin_with`] began, whose locks it relies on.
    ///
    /// An expired key is replaced; a key that is not expired makes the statement fail. Of two concurrent writes with one key or one pair the
    /// second waits here until the first has committed.
    StoreRecords {
        ids: Vec<Uuid> => Array<SqlUuid>,
        contract_ids: Vec<Uuid> => Array<SqlUuid>,
        division_ids: Vec<Uuid> => Array<SqlUuid>,
        are_active: Vec<bool> => Array<Bool>,
        inserted_ats: Vec<PgTimestamp> => Array<Timestamptz>,
        inserted_bys: Vec<Uuid> => Array<SqlUuid>,
        updated_ats: Vec<PgTimestamp> => Array<Timestamptz>,
        updated_bys: Vec<Uuid> => Array<SqlUuid>,
        are_new: Vec<bool> => Array<Bool>,
        request_ids: Vec<String> => Array<Text>,
        keys: Vec<Option<Vec<u8>>> => Array<Nullable<Bytea>>,
        requests: Vec<Option<Vec<u8>>> => Array<Nullable<Bytea>>,
        kept_since: Vec<PgTimestamp> => Array<Timestamptz>,
        expired_until: Vec<PgTimestamp> => Array<Timestamptz>,
    } -> BigInt;
    ", job AS MATERIALIZED (
         SELECT job.* FROM args CROSS JOIN LATERAL unnest(
             args.ids, args.contract_ids, args.division_ids, args.are_active,
             args.inserted_ats, args.inserted_bys, args.updated_ats, args.updated_bys,
             args.are_new, args.request_ids, args.keys, args.requests, args.kept_since, args.expired_until)
         AS job(
             id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by,
             is_new, request_id, key, request, kept_since, expired_until)
         WHERE current_setting('esoz.transaction', true) = 'open' AND esoz_require_audit())
     , request AS MATERIALIZED (
         SELECT set_config('esoz.requests', string_agg(chr(10) || id || ' ' || request_id, ''), true) FROM job)
     , updated AS (
         UPDATE contract_divisions AS target
         SET contract_id = job.contract_id, division_id = job.division_id, is_active = job.is_active,
             updated_at = job.updated_at, updated_by = job.updated_by
         FROM request CROSS JOIN job
         WHERE target.id = job.id AND NOT job.is_new
         RETURNING target.*)
     , inserted AS (
         INSERT INTO contract_divisions AS target (
             id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by)
         SELECT
             job.id, job.contract_id, job.division_id, job.is_active,
             job.inserted_at, job.inserted_by, job.updated_at, job.updated_by
         FROM request CROSS JOIN job
         WHERE job.is_new
         RETURNING target.*)
     , written AS (SELECT * FROM updated UNION ALL SELECT * FROM inserted)
     , expired AS (
         DELETE FROM idempotency_keys AS kept USING job
         WHERE kept.key = job.key AND kept.updated_at <= job.expired_until
         RETURNING kept.key)
     , kept AS (
         INSERT INTO idempotency_keys (
             key, request, answer,
             id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by)
         SELECT
             job.key, job.request, row_to_json(written)::text,
             written.id, written.contract_id, written.division_id, written.is_active,
             written.inserted_at, written.inserted_by, job.kept_since, written.updated_by
         FROM job JOIN written ON written.id = job.id
         CROSS JOIN (SELECT count(*) AS number FROM expired) AS room
         WHERE job.key IS NOT NULL AND room.number >= 0)
     SELECT count(*) FROM written"
}

impl StoreRecords {
    fn of(accepted: &[Accepted<'_>]) -> Self {
        fn each<T>(accepted: &[Accepted<'_>], part: impl Fn(&Write, &ContractDivision) -> T) -> Vec<T> {
            accepted.iter().map(|Accepted { write, record, .. }| part(write, record)).collect()
        }
        Self {
            ids: each(accepted, |write, _| write.id.uuid()),
            contract_ids: each(accepted, |_, record| record.contract_id.uuid()),
            division_ids: each(accepted, |_, record| record.division_id.uuid()),
            are_active: each(accepted, |_, record| record.is_active),
            inserted_ats: each(accepted, |_, record| to_pg(record.stamps.inserted_at)),
            inserted_bys: each(accepted, |_, record| record.stamps.inserted_by.uuid()),
            updated_ats: each(accepted, |_, record| to_pg(record.stamps.updated_at)),
            updated_bys: each(accepted, |_, record| record.stamps.updated_by.uuid()),
            are_new: accepted.iter().map(|accepted| accepted.is_new).collect(),
            request_ids: each(accepted, |write, _| write.request_id.as_str().to_owned()),
            keys: each(accepted, |write, _| write.idempotency.map(|request| request.key().to_vec())),
            requests: each(accepted, |write, _| write.idempotency.map(|request| request.request().to_vec())),
            kept_since: each(accepted, |write, _| to_pg(write.at)),
            expired_until: each(accepted, |write, _| to_pg(expired_until(write.at))),
        }
    }
}
