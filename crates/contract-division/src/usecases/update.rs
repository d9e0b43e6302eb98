use std::sync::Arc;

use esoz_auth::{Allowance, ApiKeyHolder, MissingAllowances, Principal, require};
use esoz_kernel::{
    ClientId, Clock, ContractDivisionId, ErrorKind, Failure, IdempotencyKey, IdempotentRequest, Replay,
    RequestId, StoreError, StoreErrorKind, UserId, time::to_micros,
};

use crate::{Applied, Change, ContractDivision, ContractDivisions, Expected, Refusal, Update, decide};

/// What the scopes of token and api key must hold to update a contract division.
const ALLOWANCES: [Allowance; 1] = ["private_contracts:write"];

/// What tells the keys of this operation from those of others. Stored: never to be changed.
const OPERATION: &str = "update_contract_division";

/// How often an update is offered. It is offered again only if it was not applied and then nothing was found to speak against it: facts
/// about contracts and divisions move rarely, and concurrent updates of one record do not make each other stale.
const MAX_ATTEMPTS: u32 = 5;

/// Proof that the scopes of the caller's token and api key allow to update contract divisions (rule 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatePermit {
    user: UserId,
    client: ClientId,
}

impl UpdatePermit {
    /// Checks both scopes. This comes before anything else is looked at, the request's body included.
    pub fn for_caller(principal: &Principal, api_key: &ApiKeyHolder) -> Result<Self, UpdateError> {
        require(&[&principal.scope, &api_key.scope], &ALLOWANCES).map_err(UpdateError::Scope)?;
        Ok(Self { user: principal.user_id, client: principal.client_id })
    }
}

/// What to update.
#[derive(Debug, Clone)]
pub struct UpdateInput {
    /// The record named in the request; `None` when that was no UUID (rule 5).
    pub id: Option<ContractDivisionId>,
    /// What the body asks for (rule 4 is the transport's: a body of the wrong shape never becomes a [`Change`]).
    pub change: Change,
    /// The request, for the audit.
    pub request_id: RequestId,
    /// What the client marks this request and its repetitions with, if it does.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Why a contract division was not updated: one variant for each answer of the conformance table. The texts, spelling included, are
/// part of the protocol.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// A scope does not allow it (U03).
    #[error(transparent)]
    Scope(MissingAllowances),
    /// There is no such active record (U10).
    #[error("Contract division with such id is not found")]
    NotFound,
    /// Its contract is none of a global budget, or not active (U11).
    #[error("Only contract divisions for contract with type GB_CBP can be updated")]
    NotGlobalBudget,
    /// There is no such active division (U12).
    #[error("Division is not found")]
    DivisionNotFound,
    /// The division is not the contractor's (U13).
    #[error("Division is not correspond to contractor legal entity")]
    DivisionOfAnotherLegalEntity,
    /// The new contract is unknown, none of a global budget, or not active (U14).
    #[error("Contract must be an active and with GB_CBP type")]
    ContractNotUsable,
    /// Another active record has this contract and division (U16, U23).
    #[error("Contract division with such contract and division already exists")]
    PairTaken,
    /// The key marks another request, which was carried out (docs/adr/0012).
    #[error("The idempotency key was used for another request")]
    KeyReused,
    /// A store failed (U20, Q04).
    #[error("the contract division could not be updated")]
    Store(#[source] StoreError),
}

impl From<Refusal> for UpdateError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::RecordNotFound => Self::NotFound,
            Refusal::NotGlobalBudget => Self::NotGlobalBudget,
            Refusal::DivisionNotFound => Self::DivisionNotFound,
            Refusal::DivisionOfAnotherLegalEntity => Self::DivisionOfAnotherLegalEntity,
            Refusal::ContractNotUsable => Self::ContractNotUsable,
            Refusal::PairTaken => Self::PairTaken,
        }
    }
}

impl Failure for UpdateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Scope(refusal) => refusal.kind(),
            Self::NotFound | Self::DivisionNotFound => ErrorKind::NotFound,
            Self::NotGlobalBudget
            | Self::DivisionOfAnotherLegalEntity
            | Self::ContractNotUsable
            | Self::PairTaken
            | Self::KeyReused => ErrorKind::Conflict,
            Self::Store(error) => Failure::kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Scope(refusal) => refusal.code(),
            Self::NotFound => "not_found",
            Self::NotGlobalBudget => "not_global_budget",
            Self::DivisionNotFound => "division_not_found",
            Self::DivisionOfAnotherLegalEntity => "division_of_another_legal_entity",
            Self::ContractNotUsable => "contract_not_usable",
            Self::PairTaken => "pair_taken",
            Self::KeyReused => "key_reused",
            Self::Store(error) => error.code(),
        }
    }

    fn codes() -> Vec<&'static str> {
        let own = [
            Self::NotFound,
            Self::NotGlobalBudget,
            Self::DivisionNotFound,
            Self::DivisionOfAnotherLegalEntity,
            Self::ContractNotUsable,
            Self::PairTaken,
            Self::KeyReused,
        ];
        let own = own.iter().map(Self::code).collect();
        [MissingAllowances::codes(), own, StoreError::codes()].concat()
    }

    fn entry(&self) -> Option<&'static str> {
        match self {
            Self::DivisionNotFound | Self::DivisionOfAnotherLegalEntity | Self::PairTaken => {
                Some("$.division_id")
            }
            Self::ContractNotUsable => Some("$.contract_id"),
            Self::Scope(_) | Self::NotFound | Self::NotGlobalBudget | Self::KeyReused | Self::Store(_) => {
                None
            }
        }
    }

    fn missing_allowances(&self) -> &[Allowance] {
        match self {
            Self::Scope(refusal) => refusal.missing_allowances(),
            Self::NotFound
            | Self::NotGlobalBudget
            | Self::DivisionNotFound
            | Self::DivisionOfAnotherLegalEntity
            | Self::ContractNotUsable
            | Self::PairTaken
            | Self::KeyReused
            | Self::Store(_) => &[],
        }
    }
}

/// What the use case asks.
#[derive(Clone)]
pub struct UpdatePorts {
    /// Where the records are kept.
    pub contract_divisions: Arc<dyn ContractDivisions>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// Updates a contract division (method 2).
#[derive(Clone)]
pub struct UpdateContractDivision {
    ports: UpdatePorts,
}

impl UpdateContractDivision {
    /// Builds the use case on its ports.
    pub fn new(ports: UpdatePorts) -> Self {
        Self { ports }
    }

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
        permit: &UpdatePermit,
        input: UpdateInput,
    ) -> Result<ContractDivision, UpdateError> {
        let id = input.id.ok_or(UpdateError::NotFound)?;
        let idempotency = idempotency(permit, id, &input);
        for _ in 0..MAX_ATTEMPTS {
            let update = Update {
                id,
                change: input.change,
                expected: Expected::BY_THE_RULES,
                at: to_micros(self.ports.clock.now()),
                by: permit.user,
                request_id: input.request_id.clone(),
                idempotency,
            };
            match self.ports.contract_divisions.apply(&update).await {
                Ok(Applied::Applied(record)) => return Ok(record),
                Ok(Applied::Replayed(replay)) => return answer(replay),
                Ok(Applied::Stale) => {}
                // It tells nothing about the facts, nor about the key.
                Err(error) if error.kind() == StoreErrorKind::Conflict => continue,
                Err(error) => return Err(UpdateError::Store(error)),
            }
            let facts =
                self.ports.contract_divisions.facts(id, &input.change).await.map_err(UpdateError::Store)?;
            // After the facts: what they speak against may be the work of the very same request.
            if let Some(idempotency) = &idempotency
                && let Some(replay) = self.replay(idempotency).await?
            {
                return answer(replay);
            }
            decide(&facts)?;
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
        let now = self.ports.clock.now();
        self.ports.contract_divisions.replay(idempotency, now).await.map_err(UpdateError::Store)
    }
}

/// The key of the request, if it has one, and what it asks for.
fn idempotency(
    permit: &UpdatePermit,
    id: ContractDivisionId,
    input: &UpdateInput,
) -> Option<IdempotentRequest> {
    let id = id.uuid();
    let (contract, division) = (input.change.contract_id.uuid(), input.change.division_id.uuid());
    let asked: [&[u8]; 3] = [id.as_bytes(), contract.as_bytes(), division.as_bytes()];
    input.idempotency_key.as_ref().map(|key| IdempotentRequest::new(OPERATION, permit.client, key, &asked))
}

fn answer(replay: Replay<ContractDivision>) -> Result<ContractDivision, UpdateError> {
    match replay {
        Replay::Replayed(record) => Ok(record),
        Replay::KeyReused => Err(UpdateError::KeyReused),
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
