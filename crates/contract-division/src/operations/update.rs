use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{
    Clock, ContractDivisionId, IdempotencyError, IdempotencyKey, IdempotentRequest, RequestId, StoreError,
    failure, time::to_micros,
};

use crate::{ContractDivision, ContractDivisions, Pair, Refusal, Write, decide_update};

/// What to update.
#[derive(Debug, Clone)]
pub struct UpdateInput {
    /// The record named in the request; `None` when that was no UUID (rule 5).
    pub id: Option<ContractDivisionId>,
    /// What the body asks for (rule 4 is the transport's: a body of the wrong shape never becomes a [`Pair`]).
    pub pair: Pair,
    /// The request, for the audit.
    pub request_id: RequestId,
    /// The client's idempotency key, if it sent one.
    pub idempotency_key: Option<IdempotencyKey>,
}

failure! {
    /// Why a contract division was not updated.
    #[derive(Debug)]
    pub enum UpdateError {
    } wraps {
        /// The idempotency key was used for another request (docs/adr/0012).
        Idempotency(IdempotencyError);
        /// A rule refuses the update (U10 to U16).
        Refused(Refusal = [
            Refusal::RECORD_NOT_FOUND,
            Refusal::NotGlobalBudget,
            Refusal::DivisionNotFound,
            Refusal::DivisionOfAnotherLegalEntity,
            Refusal::ContractNotUsable,
            Refusal::PairTaken,
        ]);
        /// A store failed (U20, Q04).
        Store(StoreError) => "the contract division could not be updated";
    }
}

/// Updates a contract division (method 2).
#[derive(Clone)]
pub struct UpdateContractDivision {
    /// Where the records are kept.
    pub contract_divisions: Arc<dyn ContractDivisions>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
}

impl Operation for UpdateContractDivision {
    const NAME: &'static str = "update_contract_division";
    const SCOPE: &'static str = "private_contracts:write";
    const CALLER: CallerKind = CallerKind::UserWithApiKey;
    type Error = UpdateError;
}

impl UpdateContractDivision {
    /// Updates the record and returns it as it is afterwards.
    ///
    /// The store decides while it holds the facts (docs/adr/0020).
    ///
    /// With an idempotency key, a repetition of an update that took effect gets its first answer, whatever became of the record since;
    /// who may call was checked anew by then. An update that was refused changed nothing, and its repetition is decided anew.
    ///
    /// # Errors
    /// [`UpdateError`], of the first rule that fails. After [`UpdateError::Store`] the update may or may not have taken effect;
    /// the same request again gives an honest answer.
    pub async fn execute(
        &self,
        permit: &Permit<Self>,
        input: UpdateInput,
    ) -> Result<ContractDivision, UpdateError> {
        let id = input.id.ok_or(Refusal::RECORD_ID_MALFORMED).map_err(UpdateError::Refused)?;
        let UpdateInput { pair, request_id, idempotency_key, .. } = input;
        let at = to_micros(self.clock.now());
        let idempotency = idempotency_key.map(|key| {
            let (record, [contract, division]) = (id.uuid(), pair.to_bytes());
            let parts: [&[u8]; 3] = [record.as_bytes(), &contract, &division];
            IdempotentRequest::new(Self::NAME, permit.client(), &key, &parts)
        });
        let decide = decide_update(pair, at, permit.user());
        let write = Write { id, pair: Some(pair), decide, at, request_id, idempotency };
        let written = self.contract_divisions.write(&write).await.map_err(UpdateError::Store)?;
        written.into_result(UpdateError::Refused, UpdateError::Idempotency)
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
