//! Asking a store of contract divisions, in tests.

use std::sync::{Arc, Mutex, PoisonError};

use esoz_contract_division::{
    ContractDivision, ContractDivisions, Decide, Facts, Pair, Refusal, Write, decide_create, decide_delete,
    decide_update,
};
use esoz_kernel::{
    ContractDivisionId, IdempotentRequest, Replay, RequestId, StoreError, StoreErrorKind, Timestamp, UserId,
    Written,
};

use crate::builders::{fresh, request_id};

/// The outcome of a write.
pub type Outcome = Result<Written<ContractDivision, Refusal>, StoreError>;

/// An update, as the use case asks a store for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Which record.
    pub id: ContractDivisionId,
    /// The division and the contract that it shall have.
    pub change: Pair,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
    /// The request.
    pub request_id: RequestId,
    /// Its idempotency key, if it has one.
    pub idempotency: Option<IdempotentRequest>,
}

impl Update {
    /// The write that the use case makes of it.
    pub fn write(&self) -> Write {
        Write {
            id: self.id,
            pair: Some(self.change),
            decide: decide_update(self.change, self.at, self.by),
            at: self.at,
            request_id: self.request_id.clone(),
            idempotency: self.idempotency,
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn apply(&self, store: &(impl ContractDivisions + ?Sized)) -> Outcome {
        store.write(&self.write()).await
    }

    /// What the store finds under its key, writing nothing.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn replay(
        &self,
        store: &(impl ContractDivisions + ?Sized),
    ) -> Result<Option<Replay<ContractDivision>>, StoreError> {
        let refuse: Decide = Arc::new(|_| Err(Refusal::RECORD_NOT_FOUND));
        Ok(match store.write(&Write { decide: refuse, ..self.write() }).await? {
            Written::Replayed(record) => Some(Replay::Replayed(record)),
            Written::KeyReused => Some(Replay::KeyReused),
            Written::Refused(_) | Written::Applied(_) => None,
        })
    }
}

/// A create of a record with that pair, as the use case asks a store for it.
pub fn create(pair: Pair, at: Timestamp, by: UserId) -> Write {
    let id = ContractDivisionId::new(fresh());
    let decide = decide_create(id, pair, at, by);
    Write { id, pair: Some(pair), decide, at, request_id: request_id(), idempotency: None }
}

/// A delete of that record, as the use case asks a store for it.
pub fn delete(id: ContractDivisionId, at: Timestamp, by: UserId) -> Write {
    Write { id, pair: None, decide: decide_delete(at, by), at, request_id: request_id(), idempotency: None }
}

/// The facts that a store decides by, writing nothing.
///
/// # Errors
/// Those of the store.
pub async fn facts(
    store: &(impl ContractDivisions + ?Sized),
    id: ContractDivisionId,
    pair: Option<Pair>,
) -> Result<Facts, StoreError> {
    let seen = Arc::new(Mutex::new(None));
    let looking = Arc::clone(&seen);
    let decide: Decide = Arc::new(move |facts| {
        *looking.lock().unwrap_or_else(PoisonError::into_inner) = Some(*facts);
        Err(Refusal::RECORD_NOT_FOUND)
    });
    let (at, request_id) = (Timestamp::UNIX_EPOCH, request_id());
    store.write(&Write { id, pair, decide, at, request_id, idempotency: None }).await?;
    let seen = *seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.ok_or_else(|| StoreError::new(StoreErrorKind::Unexpected, "looking at facts: nothing was decided"))
}

/// The record as a store has it.
///
/// # Errors
/// Those of the store.
pub async fn stored(
    store: &(impl ContractDivisions + ?Sized),
    id: ContractDivisionId,
) -> Result<Option<ContractDivision>, StoreError> {
    Ok(facts(store, id, None).await?.current.map(|current| current.record))
}
