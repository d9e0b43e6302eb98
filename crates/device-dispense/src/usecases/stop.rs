use std::sync::Arc;

use esoz_auth::{Allowance, MissingAllowances, Principal, require};
use esoz_events::{EntityType, StatusChangeEvent};
use esoz_kernel::{
    ClientId, Clock, DispenseId, ErrorKind, EventId, Failure, IdGenerator, IdempotencyKey, IdempotentRequest,
    PatientId, Replay, RequestId, StoreError, StoreErrorKind, TraceContext, UserId, time::to_millis,
};
use esoz_legal_entity::{ActiveLegalEntity, AllowedTypes, LegalEntities, LegalEntityError, require_active};

use crate::{
    Changed, DeviceDispenses, Dispense, DispenseStatus, Operation, PatientPseudonyms, Pseudonym, Refusal,
    StatusChange, may_undergo,
};

/// What a scope must hold to stop a dispense.
const ALLOWANCES: [Allowance; 1] = ["device_dispense:stop"];

/// What tells the keys of this operation from those of others. Stored: never to be changed.
const OPERATION: &str = "stop_device_dispense";

/// How often the change is offered when what was decided from has moved. A dispense leaves `in_progress` once and never
/// returns by itself, so the second offer decides; the others are for a store that lost a race of its own, and for systems beside this one that
/// set dispenses in progress again while they are being stopped.
const MAX_ATTEMPTS: u32 = 5;

/// Proof that the caller's scope allows to stop dispenses (rule 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopPermit {
    user: UserId,
    client: ClientId,
}

impl StopPermit {
    /// Checks the scope. This comes before anything else is looked at, the request's body included.
    pub fn for_caller(principal: &Principal) -> Result<Self, StopError> {
        require(&[&principal.scope], &ALLOWANCES).map_err(StopError::Scope)?;
        Ok(Self { user: principal.user_id, client: principal.client_id })
    }
}

/// What to stop.
#[derive(Debug, Clone)]
pub struct StopInput {
    /// The patient named in the request; `None` when that was no UUID, and so nobody's (rule 7).
    pub patient_id: Option<PatientId>,
    /// The dispense named in the request; `None` when that was no UUID (rule 5).
    pub dispense_id: Option<DispenseId>,
    /// The request, for whoever traces the event back.
    pub request_id: RequestId,
    /// The span that asks for it, for the same; `None` where nobody traces.
    pub trace: Option<TraceContext>,
    /// What the client marks this request and its repetitions with, if it does.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Why a dispense was not stopped: one variant for each answer of the conformance table. The texts are part of the protocol.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The scope does not allow it (S06).
    #[error(transparent)]
    Scope(MissingAllowances),
    /// The legal entity may not act (S08, S09).
    #[error(transparent)]
    LegalEntity(LegalEntityError),
    /// There is no such dispense for this caller and patient (S10, S11, S12).
    #[error("not_found")]
    NotFound,
    /// Its status is not `in_progress` (S13, S16, S17).
    #[error("Device dispense in status {} cannot be stopped", .0.as_str())]
    WrongStatus(DispenseStatus),
    /// The key marks another request, which was carried out (docs/adr/0012).
    #[error("The idempotency key was used for another request")]
    KeyReused,
    /// A store failed (S14, P05).
    #[error("the dispense could not be stopped")]
    Store(#[source] StoreError),
}

impl Failure for StopError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Scope(refusal) => refusal.kind(),
            Self::LegalEntity(refusal) => refusal.kind(),
            Self::NotFound => ErrorKind::NotFound,
            Self::WrongStatus(_) | Self::KeyReused => ErrorKind::Conflict,
            Self::Store(error) => Failure::kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Scope(refusal) => refusal.code(),
            Self::LegalEntity(refusal) => refusal.code(),
            Self::NotFound => "not_found",
            Self::WrongStatus(_) => "wrong_status",
            Self::KeyReused => "key_reused",
            Self::Store(error) => error.code(),
        }
    }

    fn codes() -> Vec<&'static str> {
        let own = [Self::NotFound, Self::WrongStatus(DispenseStatus::Stopped), Self::KeyReused];
        let own = own.iter().map(Self::code).collect();
        [MissingAllowances::codes(), LegalEntityError::codes(), own, StoreError::codes()].concat()
    }

    fn missing_allowances(&self) -> &[Allowance] {
        match self {
            Self::Scope(refusal) => refusal.missing_allowances(),
            Self::LegalEntity(_)
            | Self::NotFound
            | Self::WrongStatus(_)
            | Self::KeyReused
            | Self::Store(_) => &[],
        }
    }
}

/// What the use case asks.
#[derive(Clone)]
pub struct StopPorts {
    /// Where dispenses are kept.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// Where legal entities are looked up.
    pub legal_entities: Arc<dyn LegalEntities>,
    /// What stands for a patient.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where the event gets its id.
    pub ids: Arc<dyn IdGenerator>,
}

/// Stops a device dispense (method 1).
#[derive(Clone)]
pub struct StopDispense {
    ports: StopPorts,
    allowed_types: AllowedTypes,
}

impl StopDispense {
    /// Builds the use case on its ports and the configured list of legal entity types.
    pub fn new(ports: StopPorts, allowed_types: AllowedTypes) -> Self {
        Self { ports, allowed_types }
    }

    /// Stops the dispense and returns it as it is afterwards.
    ///
    /// The change is offered to the store first, together with what must be true for it (rules 5 to 8); only when the store
    /// finds that it is not, the dispense is read to say why. So a stop that succeeds costs one round trip to where
    /// dispenses are kept.
    ///
    /// With an idempotency key, a repetition of a stop that took effect gets its first answer; who may call and act was checked
    /// anew by then. A stop that was refused changed nothing, and its repetition is decided anew. Before it is refused it is offered
    /// once more: what speaks against it may be the work of the same request, carried out between the offer and the look.
    ///
    /// # Errors
    /// [`StopError`], of the first rule that fails. After [`StopError::Store`] the change may or may not have taken effect;
    /// the same request again tells.
    pub async fn execute(&self, permit: &StopPermit, input: StopInput) -> Result<Dispense, StopError> {
        let legal_entity = self.active_legal_entity(permit).await?;
        let (Some(patient_id), Some(id)) = (input.patient_id, input.dispense_id) else {
            return Err(StopError::NotFound);
        };
        let subject = self.ports.pseudonyms.of(patient_id);
        let change = self.planned(permit, legal_entity, id, subject, input);
        let mut refused = None;
        for _ in 0..MAX_ATTEMPTS {
            match self.ports.dispenses.change_status(&change).await {
                Ok(Changed::Applied(dispense) | Changed::Replayed(Replay::Replayed(dispense))) => {
                    return Ok(dispense);
                }
                Ok(Changed::Replayed(Replay::KeyReused)) => return Err(StopError::KeyReused),
                Ok(Changed::Stale) => {}
                // It tells nothing about the dispense, nor about the key.
                Err(error) if error.kind() == StoreErrorKind::Conflict => continue,
                Err(error) => return Err(StopError::Store(error)),
            }
            // Offered since it was found, and nothing was done under the key: so it stands.
            if let Some(refusal) = refused {
                return Err(refusal);
            }
            refused = self.refusal(&change, legal_entity).await?;
            if change.idempotency.is_none()
                && let Some(refusal) = refused
            {
                return Err(refusal);
            }
        }
        let attempted = format!("stopping dispense {id}: it changed under {MAX_ATTEMPTS} attempts");
        Err(StopError::Store(StoreError::new(StoreErrorKind::Conflict, attempted)))
    }

    async fn active_legal_entity(&self, permit: &StopPermit) -> Result<ActiveLegalEntity, StopError> {
        let found = self.ports.legal_entities.find(permit.client.into()).await.map_err(StopError::Store)?;
        require_active(found.as_ref(), &self.allowed_types).map_err(StopError::LegalEntity)
    }

    fn planned(
        &self,
        permit: &StopPermit,
        legal_entity: ActiveLegalEntity,
        id: DispenseId,
        subject: Pseudonym,
        input: StopInput,
    ) -> StatusChange {
        let at = to_millis(self.ports.clock.now());
        let to = DispenseStatus::Stopped;
        let event = StatusChangeEvent {
            id: EventId::new(self.ports.ids.fresh()),
            entity_type: EntityType::DeviceDispense,
            entity_id: id.uuid(),
            new_status: to.as_str().to_owned(),
            event_time: at,
            changed_by: permit.user,
            request_id: input.request_id,
            trace: input.trace,
        };
        let idempotency = input.idempotency_key.map(|key| {
            let id = id.uuid();
            let asked: [&[u8]; 2] = [id.as_bytes(), subject.expose().as_bytes()];
            IdempotentRequest::new(OPERATION, permit.client, &key, &asked)
        });
        let owner = legal_entity.legal_entity_id();
        let from = DispenseStatus::InProgress;
        StatusChange { id, owner, subject, from, to, at, by: permit.user, event, idempotency }
    }

    /// Says why the store found the change stale. `None` when by now nothing speaks against it: then it is worth another try.
    async fn refusal(
        &self,
        change: &StatusChange,
        legal_entity: ActiveLegalEntity,
    ) -> Result<Option<StopError>, StopError> {
        let found = self.ports.dispenses.find(change.id).await.map_err(StopError::Store)?;
        let refusal =
            may_undergo(found.as_ref(), legal_entity, &change.subject, Operation::Stop, change.to).err();
        Ok(refusal.map(|refusal| match refusal {
            Refusal::NotFound => StopError::NotFound,
            Refusal::WrongStatus(status) => StopError::WrongStatus(status),
        }))
    }
}

#[cfg(test)]
#[path = "stop_tests.rs"]
mod tests;
