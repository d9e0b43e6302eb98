use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{
    Clock, ContractDivisionId, IdGenerator, IdempotencyError, IdempotencyKey, IdempotentRequest, RequestId,
    StoreError, failure, time::to_micros,
};

use crate::{ContractDivision, ContractDivisions, Pair, Refusal, Write, decide_create};

/// What to create.
#[derive(Debug, Clone)]
pub struct CreateInput {
    /// What the body asks for. A body of the wrong shape never becomes a [`Pair`].
    pub pair: Pair,
    /// The request, for the audit.
    pub request_id: RequestId,
    /// The client's idempotency key, if it sent one.
    pub idempotency_key: Option<IdempotencyKey>,
}

failure! {
    /// Why a contract division was not created.
    #[derive(Debug)]
    pub enum CreateError {
    } wraps {
        /// The idempotency key was used for another request (docs/adr/0012).
        Idempotency(IdempotencyError);
        /// A rule refuses the record (D03, D04).
        Refused(Refusal = [
            Refusal::DivisionNotFound,
            Refusal::DivisionOfAnotherLegalEntity,
            Refusal::ContractNotUsable,
            Refusal::PairTaken,
        ]);
        /// A store failed.
        Store(StoreError) => "the contract division could not be created";
    }
}

/// Creates a contract division.
#[derive(Clone)]
pub struct CreateContractDivision {
    /// Where the records are kept.
    pub contract_divisions: Arc<dyn ContractDivisions>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The source of the records' ids.
    pub ids: Arc<dyn IdGenerator>,
}

impl Operation for CreateContractDivision {
    const NAME: &'static str = "create_contract_division";
    const SCOPE: &'static str = "private_contracts:write";
    const CALLER: CallerKind = CallerKind::UserWithApiKey;
    type Error = CreateError;
}

impl CreateContractDivision {
    /// Creates the record, active and with a fresh id, and returns it (D05).
    ///
    /// The store decides while it holds the facts (docs/adr/0020); of concurrent creates of one pair one succeeds. With an idempotency key, a
    /// repetition gets the first answer: the same id, whatever became of the record since (D06).
    ///
    /// # Errors
    /// [`CreateError`], of the first rule that fails. After [`CreateError::Store`] the record may or may not be there; the same request under
    /// the same idempotency key tells.
    pub async fn execute(
        &self,
        permit: &Permit<Self>,
        input: CreateInput,
    ) -> Result<ContractDivision, CreateError> {
        let CreateInput { pair, request_id, idempotency_key } = input;
        let (id, at) = (ContractDivisionId::new(self.ids.fresh()), to_micros(self.clock.now()));
        let idempotency = idempotency_key.map(|key| {
            let [contract, division] = pair.to_bytes();
            IdempotentRequest::new(Self::NAME, permit.client(), &key, &[&contract, &division])
        });
        let decide = decide_create(id, pair, at, permit.user());
        let write = Write { id, pair: Some(pair), decide, at, request_id, idempotency };
        let written = self.contract_divisions.write(&write).await.map_err(CreateError::Store)?;
        written.into_result(CreateError::Refused, CreateError::Idempotency)
    }
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
