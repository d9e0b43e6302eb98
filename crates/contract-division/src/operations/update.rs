use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{
    Clock, ContractDivisionId, IdempotencyError, IdempotencyKey, IdempotentRequest, Replay, RequestId,
    StoreError, StoreErrorKind, failure, time::to_micros,
};

use crate::{Applied, Change, ContractDivision, ContractDivisions, Expected, Refusal, Update, decide};

/// How often an update is offered. It is offered again only if it was not applied and then nothing was found to speak against it: facts
/// about contracts and divisions move rarely, and concurrent updates of one record do not make each other stale.
const MAX_ATTEMPTS: u32 = 5;

/// What to update.
#[derive(Debug, Clone)]
pub struct UpdateInput {
    /// The record named in the request; `None` when that was no UUID (rule 5).
    pub id: Option<ContractDivisionId>,
    /// What the body asks for (rule 4 is the transport's: a body of the wrong shape never becomes a [`Change`]).
    pub change: Change,
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
        Refused(Refusal);
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
    /// The update is offered to the store together with what must be true for it (docs/adr/0017); only if the store does not apply it, the
    /// facts are gathered and tell why.
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
        let id = input.id.ok_or(Refusal::RecordNotFound).map_err(UpdateError::Refused)?;
        let idempotency = idempotency(permit, id, &input);
        for _ in 0..MAX_ATTEMPTS {
            let update = Update {
                id,
                change: input.change,
                expected: Expected::BY_THE_RULES,
                at: to_micros(self.clock.now()),
                by: permit.user(),
                request_id: input.request_id.clone(),
                idempotency,
            };
            match self.contract_divisions.apply(&update).await {
                Ok(Applied::Applied(record)) => return Ok(record),
                Ok(Applied::Replayed(replay)) => return answer(replay),
                Ok(Applied::Stale) => {}
                // It tells nothing about the facts, nor about the key.
                Err(error) if error.kind() == StoreErrorKind::Conflict => continue,
                Err(error) => return Err(UpdateError::Store(error)),
            }
            let facts = self.contract_divisions.facts(id, &input.change).await.map_err(UpdateError::Store)?;
            // After the facts: what they speak against may be the work of the very same request.
            if let Some(idempotency) = &idempotency
                && let Some(replay) = self.replay(idempotency).await?
            {
                return answer(replay);
            }
            decide(&facts).map_err(UpdateError::Refused)?;
        }
        let attempted = format!(
            "updating contract division {id}: what it rests on changed under {MAX_ATTEMPTS} attempts"
        );
        Err(UpdateError::Store(StoreError::new(StoreErrorKind::Conflict, attempted)))
    }

    async fn replay(
        &self,
        idempotency: &IdempotentRequest,
    ) -> Result<Option<Replay<ContractDivision>>, UpdateError> {
        let now = self.clock.now();
        self.contract_divisions.replay(idempotency, now).await.map_err(UpdateError::Store)
    }
}

/// The key of the request, if it has one, and what it asks for.
fn idempotency(
    permit: &Permit<UpdateContractDivision>,
    id: ContractDivisionId,
    input: &UpdateInput,
) -> Option<IdempotentRequest> {
    let id = id.uuid();
    let (contract, division) = (input.change.contract_id.uuid(), input.change.division_id.uuid());
    let asked: [&[u8]; 3] = [id.as_bytes(), contract.as_bytes(), division.as_bytes()];
    input
        .idempotency_key
        .as_ref()
        .map(|key| IdempotentRequest::new(UpdateContractDivision::NAME, permit.client(), key, &asked))
}

fn answer(replay: Replay<ContractDivision>) -> Result<ContractDivision, UpdateError> {
    match replay {
        Replay::Replayed(record) => Ok(record),
        Replay::KeyReused => Err(UpdateError::Idempotency(IdempotencyError::KeyReused)),
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
