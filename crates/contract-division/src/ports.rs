use async_trait::async_trait;
use esoz_kernel::{
    ContractDivisionId, IdempotentRequest, Put, Replay, RequestId, StoreError, Timestamp, UserId,
};

use crate::{Change, ContractDivision, ContractRecord, DivisionRecord, Expected, Facts};

/// An update that is offered to the store, with what must be true for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Which record.
    pub id: ContractDivisionId,
    /// The division and the contract that it shall have.
    pub change: Change,
    /// What must be true when it is written.
    pub expected: Expected,
    /// When, in microseconds.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
    /// The request, for the audit.
    pub request_id: RequestId,
    /// The key that it was asked for under, if there is one.
    pub idempotency: Option<IdempotentRequest>,
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It took effect; the record after it.
    Applied(ContractDivision),
    /// Something that it needs is not so. Nothing was written.
    Stale,
    /// An update was made under the same key. Nothing was written.
    Replayed(Replay<ContractDivision>),
}

/// Where contract divisions, contracts and divisions are kept.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait ContractDivisions: Send + Sync {
    /// Gathers all that the rules read, at one instant.
    ///
    /// # Errors
    /// [`StoreError`] when the facts cannot be had, or the stored ones are corrupt.
    async fn facts(&self, id: ContractDivisionId, change: &Change) -> Result<Facts, StoreError>;

    /// Applies an update if [`Update::expected`] is met at that moment.
    ///
    /// In one atomic, durable step it MUST set `division_id`, `contract_id`, `updated_at` and `updated_by`, and write the
    /// audit row (by trigger); if that cannot be written, neither is the update. What it rests on MUST hold until the commit: a contract or
    /// division that is being changed by another at the same time is waited for, and looked at again.
    ///
    /// With a key ([`Update::once`]) the same step MUST record the key, the request and the record as it is after the update; if an
    /// update was made under that key less than [`esoz_kernel::idempotency::RETENTION`] before, nothing is written, and the answer is
    /// [`Applied::Replayed`] or, when something else speaks against the update as well, [`Applied::Stale`]. An update that is not
    /// applied records nothing.
    ///
    /// # Errors
    /// [`StoreError`]; whether the update took effect may then be unknown, but never half of it did. Of kind conflict, nothing
    /// was written.
    async fn apply(&self, update: &Update) -> Result<Applied, StoreError>;

    /// What was done under a key less than [`esoz_kernel::idempotency::RETENTION`] before `now`; `Ok(None)` when nothing was.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be found out.
    async fn replay(
        &self,
        idempotency: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<Replay<ContractDivision>>, StoreError>;
}

/// Loads divisions, contracts and contract divisions from the registry that keeps them.
///
/// Each call stores its records and gives one answer each in their order; a refused record (e.g. what it refers to is not
/// there) does not hinder the others.
///
/// # Errors
/// [`StoreError`] when the store failed; which of the records it took is then unknown, and loading again is safe.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait ContractRegistry: Send + Sync {
    /// A division that is there already takes the new content, but for `inserted_at` and `inserted_by`.
    async fn put_divisions(&self, records: &[DivisionRecord]) -> Result<Vec<Put>, StoreError>;

    /// A contract that is there already takes the new content, but for `inserted_at` and `inserted_by`.
    async fn put_contracts(&self, records: &[ContractRecord]) -> Result<Vec<Put>, StoreError>;

    /// A contract division that is there already stays as it is ([`Put::Kept`]): loading a file again never undoes an update.
    async fn put_contract_divisions(&self, records: &[ContractDivision]) -> Result<Vec<Put>, StoreError>;
}
