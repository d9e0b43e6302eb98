use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{
    Clock, Committed, DispenseId, EventId, IdGenerator, IdempotencyError, IdempotencyKey, IdempotentRequest,
    LegalEntityId, PatientId, RequestId, StoreError, StoreErrorKind, TraceContext, failure, time::to_millis,
};
use esoz_legal_entity::{AllowedTypes, LegalEntities, LegalEntityError};

use super::active_legal_entity;
use crate::{
    Cause, DeviceDispenses, Dispense, DispenseStatus, NotVisible, PatientPseudonyms, Pseudonym, Transition,
    Trigger, visible,
};

/// How often the change is offered to a store that keeps answering that it is stale or in conflict. A dispense leaves `in_progress`
/// once and does not return by itself, so the second offer decides; the others are for other systems that write the same documents.
const MAX_ATTEMPTS: u32 = 5;

/// The dispense to stop.
#[derive(Debug, Clone)]
pub struct StopInput {
    /// The patient named in the request; `None` when that was no UUID (rule 7).
    pub patient_id: Option<PatientId>,
    /// The dispense named in the request; `None` when that was no UUID (rule 5).
    pub dispense_id: Option<DispenseId>,
    /// The request, to trace the event back to it.
    pub request_id: RequestId,
    /// The span that the event belongs to; `None` when the request is not traced.
    pub trace: Option<TraceContext>,
    /// The client's idempotency key, if it sent one.
    pub idempotency_key: Option<IdempotencyKey>,
}

failure! {
    /// Why a dispense was not stopped: one variant for each answer of the conformance table. The texts are part of the protocol.
    #[derive(Debug)]
    pub enum StopError {
        /// The dispense does not exist for this caller and patient (S10, S11, S12).
        NotFound(why: NotVisible = NotVisible::Unknown) => NotFound, "not_found", "not_found", reason why.code();
        /// Its status is not `in_progress` (S13, S16, S17).
        WrongStatus(status: DispenseStatus = DispenseStatus::Completed)
            => Conflict, "wrong_status", "Device dispense in status {status} cannot be stopped";
    } wraps {
        /// The idempotency key was used for another request (docs/adr/0012).
        Idempotency(IdempotencyError);
        /// The legal entity may not act (S08, S09).
        LegalEntity(LegalEntityError);
        /// A store failed (S14, P05).
        Store(StoreError) => "the dispense could not be stopped";
    }
}

/// Stops a device dispense (method 1).
#[derive(Clone)]
pub struct StopDispense {
    /// Where dispenses are kept.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// Where legal entities are looked up.
    pub legal_entities: Arc<dyn LegalEntities>,
    /// The types of legal entity that may act (rule 4).
    pub allowed_types: AllowedTypes,
    /// The pseudonyms of patients.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The source of event ids.
    pub ids: Arc<dyn IdGenerator>,
}

impl Operation for StopDispense {
    const NAME: &'static str = "stop_device_dispense";
    const SCOPE: &'static str = "device_dispense:stop";
    const CALLER: CallerKind = CallerKind::User;
    type Error = StopError;
}

impl StopDispense {
    /// Stops the dispense and returns it as it is afterwards.
    ///
    /// The change is offered to the store together with its conditions (rules 5 to 8); only a change that the store finds stale is
    /// explained by reading the dispense. So a successful stop costs one round trip to the store of dispenses.
    ///
    /// A repetition under the same idempotency key gets the first answer. A stop that was refused changed nothing and recorded no key, so its
    /// repetition is decided anew. With a key, a stale change is offered once more before it is refused: the same request may have been
    /// carried out between the offer and the read.
    ///
    /// # Errors
    /// [`StopError`] of the first rule that fails. After [`StopError::Store`] the change may or may not have taken effect; the same request
    /// again tells.
    pub async fn execute(&self, permit: &Permit<Self>, input: StopInput) -> Result<Dispense, StopError> {
        let owner = active_legal_entity(&*self.legal_entities, &self.allowed_types, permit).await;
        let owner = owner.map_err(StopError::Store)?.map_err(StopError::LegalEntity)?;
        let (Some(patient_id), Some(id)) = (input.patient_id, input.dispense_id) else {
            return Err(StopError::NotFound(NotVisible::MalformedId));
        };
        let subject = self.pseudonyms.of(patient_id);
        let transition = self.transition(permit, owner, id, subject.clone(), input);
        let mut refused = None;
        for _ in 0..MAX_ATTEMPTS {
            match self.dispenses.commit(&transition).await {
                Ok(Committed::Applied(dispense) | Committed::Replayed(dispense)) => return Ok(dispense),
                Ok(Committed::KeyReused) => {
                    return Err(StopError::Idempotency(IdempotencyError::KeyReused));
                }
                Ok(Committed::Stale) => {}
                // A lost race tells nothing about the dispense, nor about the key.
                Err(error) if error.kind() == StoreErrorKind::Conflict => continue,
                Err(error) => return Err(StopError::Store(error)),
            }
            // Offered again since it was read, and nothing was recorded under the key: the refusal stands.
            if let Some(refusal) = refused {
                return Err(refusal);
            }
            refused = self.refusal(&transition, owner, &subject).await?;
            if transition.idempotency.is_none()
                && let Some(refusal) = refused
            {
                return Err(refusal);
            }
        }
        let attempted = format!("stopping dispense {id}: it changed under {MAX_ATTEMPTS} attempts");
        Err(StopError::Store(StoreError::new(StoreErrorKind::Conflict, attempted)))
    }

    fn transition(
        &self,
        permit: &Permit<Self>,
        owner: LegalEntityId,
        id: DispenseId,
        subject: Pseudonym,
        input: StopInput,
    ) -> Transition {
        let cause = Cause {
            at: to_millis(self.clock.now()),
            by: permit.user(),
            request_id: input.request_id,
            trace: input.trace,
        };
        let event_id = EventId::new(self.ids.fresh());
        let idempotency = input.idempotency_key.map(|key| {
            let id = id.uuid();
            let parts: [&[u8]; 2] = [id.as_bytes(), subject.expose().as_bytes()];
            IdempotentRequest::new(Self::NAME, permit.client(), &key, &parts)
        });
        Transition {
            owner: Some(owner),
            subject: Some(subject),
            idempotency,
            ..Transition::new(id, DispenseStatus::Stopped, Trigger::Stop, event_id, &cause)
        }
    }

    /// Explains a stale transition; `None` when by now nothing speaks against it, and it is worth another offer.
    async fn refusal(
        &self,
        transition: &Transition,
        owner: LegalEntityId,
        subject: &Pseudonym,
    ) -> Result<Option<StopError>, StopError> {
        let found = self.dispenses.find(transition.id).await.map_err(StopError::Store)?;
        let refusal = match visible(found, owner, subject).map_err(StopError::Store)? {
            Err(why) => Some(StopError::NotFound(why)),
            Ok(Dispense { status, .. }) => {
                (!transition.from.contains(&status)).then_some(StopError::WrongStatus(status))
            }
        };
        Ok(refusal)
    }
}

#[cfg(test)]
mod tests;
