use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{
    Clock, ContractDivisionId, IdempotencyError, IdempotencyKey, IdempotentRequest, RequestId, StoreError,
    failure, time::to_micros,
};

use crate::{ContractDivisions, Refusal, Write, decide_delete};

/// What to delete.
#[derive(Debug, Clone)]
pub struct DeleteInput {
    /// The record named in the request; `None` when that was no UUID.
    pub id: Option<ContractDivisionId>,
    /// The request, for the audit.
    pub request_id: RequestId,
    /// The client's idempotency key, if it sent one.
    pub idempotency_key: Option<IdempotencyKey>,
}

failure! {
    /// Why a contract division was not deleted.
    #[derive(Debug)]
    pub enum DeleteError {
    } wraps {
        /// The idempotency key was used for another request (docs/adr/0012).
        Idempotency(IdempotencyError);
        /// A rule refuses it (D09).
        Refused(Refusal = [Refusal::RECORD_NOT_FOUND, Refusal::NotDeletable]);
        /// A store failed.
        Store(StoreError) => "the contract division could not be deleted";
    }
}

/// Deletes a contract division: the record stays, no longer active.
#[derive(Clone)]
pub struct DeleteContractDivision {
    /// Where the records are kept.
    pub contract_divisions: Arc<dyn ContractDivisions>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
}

impl Operation for DeleteContractDivision {
    const NAME: &'static str = "delete_contract_division";
    const SCOPE: &'static str = "private_contracts:write";
    const CALLER: CallerKind = CallerKind::UserWithApiKey;
    type Error = DeleteError;
}

impl DeleteContractDivision {
    /// Deactivates the record, which frees its pair (D10).
    ///
    /// The store decides while it holds the facts (docs/adr/0020). A second delete finds no record, unless it repeats the first under its
    /// idempotency key (D12).
    ///
    /// # Errors
    /// [`DeleteError`], of the first rule that fails. After [`DeleteError::Store`] the record may or may not be deleted; the same request
    /// again tells.
    pub async fn execute(&self, permit: &Permit<Self>, input: DeleteInput) -> Result<(), DeleteError> {
        let DeleteInput { id, request_id, idempotency_key } = input;
        let id = id.ok_or(DeleteError::Refused(Refusal::RECORD_ID_MALFORMED))?;
        let at = to_micros(self.clock.now());
        let idempotency = idempotency_key
            .map(|key| IdempotentRequest::new(Self::NAME, permit.client(), &key, &[id.uuid().as_bytes()]));
        let decide = decide_delete(at, permit.user());
        let write = Write { id, pair: None, decide, at, request_id, idempotency };
        let written = self.contract_divisions.write(&write).await.map_err(DeleteError::Store)?;
        written.into_result(DeleteError::Refused, DeleteError::Idempotency).map(drop)
    }
}

#[cfg(test)]
#[path = "delete_tests.rs"]
mod tests;
