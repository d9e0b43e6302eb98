use std::fmt;

use async_trait::async_trait;
use esoz_kernel::{
    ContractDivisionId, ContractId, DivisionId, IdempotentRequest, Page, PageRequest, Put, RequestId,
    ScanCursor, ScanPage, StoreError, Timestamp, Written,
};

use crate::{ContractDivision, ContractRecord, Current, Decide, DivisionRecord, Pair, Refusal, Visibility};

/// A write of a contract division, with the decision that the store takes under the facts' locks.
#[derive(Clone)]
pub struct Write {
    /// The record to write; a fresh id when it is to be created, so that there is no record to lock.
    pub id: ContractDivisionId,
    /// The division and the contract that the record shall have, whose facts are gathered; `None` when it shall get none (a delete).
    pub pair: Option<Pair>,
    /// Decides what becomes of the record. Depends on its facts alone.
    pub decide: Decide,
    /// The time of the write, in microseconds; the idempotency key is kept since then.
    pub at: Timestamp,
    /// The request, for the audit.
    pub request_id: RequestId,
    /// The idempotency key that it is asked for under, if there is one.
    pub idempotency: Option<IdempotentRequest>,
}

impl fmt::Debug for Write {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, pair, decide: _, at, request_id, idempotency } = self;
        formatter
            .debug_struct("Write")
            .field("id", id)
            .field("pair", pair)
            .field("at", at)
            .field("request_id", request_id)
            .field("idempotency", idempotency)
            .finish_non_exhaustive()
    }
}

/// Which contract divisions are listed: those that meet all of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    /// With this id; `None`: any.
    pub id: Option<ContractDivisionId>,
    /// Of this contract; `None`: any.
    pub contract_id: Option<ContractId>,
    /// Of this division; `None`: any.
    pub division_id: Option<DivisionId>,
    /// Visible in this way.
    pub visibility: Visibility,
}

impl Filter {
    /// Whether a record meets the filter.
    pub fn matches(&self, current: &Current) -> bool {
        let record = &current.record;
        self.visibility.includes(current)
            && self.id.is_none_or(|id| record.id == id)
            && self.contract_id.is_none_or(|id| record.contract_id == id)
            && self.division_id.is_none_or(|id| record.division_id == id)
    }
}

/// Reads and writes contract divisions.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait ContractDivisions: Send + Sync {
    /// Finds a record, active or not, with the contract that it belongs to; `Ok(None)` when there is none with that id.
    ///
    /// # Errors
    /// [`StoreError`]; of kind corrupt when what is stored cannot be what ESOZ wrote.
    async fn find(&self, id: ContractDivisionId) -> Result<Option<Current>, StoreError>;

    /// Lists the records that [match](Filter::matches), ascending by `inserted_at` and then by id, as of one instant. An entry is an error
    /// of kind corrupt when it cannot be what ESOZ wrote.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<ContractDivision, StoreError>>, StoreError>;

    /// Creates, updates or deactivates a contract division: decides inside the write (docs/adr/0020).
    ///
    /// In one atomic, durable step the store
    /// 1. locks and reads the facts: the record, its contract, the wanted contract and division, each whether active or not, and whether
    ///    another active record has the pair. The store waits for the row lock of a fact that is being changed;
    /// 2. looks the idempotency key up as of the same instant. If a write was made under it less than
    ///    [`esoz_kernel::idempotency::RETENTION`] before [`Write::at`], nothing is written and nothing decided: the answer is
    ///    [`Written::Replayed`] with the first answer or [`Written::KeyReused`];
    /// 3. calls [`Write::decide`]. Nothing is written if that refuses;
    /// 4. stores the record that it returned, inserting it if there was none, with its audit row (by trigger) and, under a key, the
    ///    idempotency record: all or nothing. The facts MUST hold until the commit, and the answer is the record that was returned.
    ///
    /// # Errors
    /// [`StoreError`]; whether the write took effect may then be unknown, but never half of it did. Of kind conflict, or when a stored
    /// fact is corrupt, nothing was written.
    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError>;
}

/// Imports divisions, contracts and contract divisions from the registry that keeps them, and exports them.
///
/// Each `put` stores its records and gives one answer each in their order; a refused record (e.g. what it refers to is not
/// there) does not hinder the others. Each `scan` reads a page of the [scan](ScanPage) of all records: at most `limit` of them, at least 1.
///
/// # Errors
/// [`StoreError`] when the store failed; which of the records a `put` took is then unknown, and loading again is safe.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait ContractRegistry: Send + Sync {
    /// Stores divisions. One that is there already takes the new content, but for `inserted_at` and `inserted_by`.
    async fn put_divisions(&self, records: &[DivisionRecord]) -> Result<Vec<Put>, StoreError>;

    /// Stores contracts. One that is there already takes the new content, but for `inserted_at` and `inserted_by`.
    async fn put_contracts(&self, records: &[ContractRecord]) -> Result<Vec<Put>, StoreError>;

    /// Stores contract divisions. One that is there already stays as it is ([`Put::Kept`]): loading a file again never undoes an update.
    async fn put_contract_divisions(&self, records: &[ContractDivision]) -> Result<Vec<Put>, StoreError>;

    /// Scans divisions.
    async fn scan_divisions(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<DivisionRecord>, StoreError>;

    /// Scans contracts.
    async fn scan_contracts(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<ContractRecord>, StoreError>;

    /// Reads all contract divisions as of one instant, in the ascending order of their ids; one that cannot be read is an error as in a
    /// [scan](ScanPage). Read at different times, two active records could have the same pair, which no store takes.
    async fn snapshot_contract_divisions(
        &self,
    ) -> Result<Vec<Result<ContractDivision, StoreError>>, StoreError>;
}
