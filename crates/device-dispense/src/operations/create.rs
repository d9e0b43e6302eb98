use std::collections::BTreeSet;
use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_events::EntityType;
use esoz_kernel::{
    Calendar, Clock, EventId, IdGenerator, IdempotencyError, IdempotencyKey, IdempotentRequest, PatientId,
    Pseudonym, RequestId, StoreError, StoreErrorKind, TraceContext, failure, join, time::to_millis,
};
use esoz_legal_entity::{AllowedTypes, LegalEntities, LegalEntityError};
use esoz_registries::{DeviceChoice, Registries, RegistryQuery};

use super::active_legal_entity;
use crate::{
    Cause, Create, CreateFacts, CreatePolicy, CreateRefusal, Dispense, DispenseStatus, DispenseWrites,
    NewDevice, NewDispense, PatientPseudonyms, RequestQuery,
};

/// The dispense to record.
#[derive(Debug, Clone)]
pub struct CreateInput {
    /// The patient named in the request; `None` when that was no UUID (rule 5).
    pub patient_id: Option<PatientId>,
    /// What the body asks for. A body of the wrong shape never becomes one.
    pub body: NewDispense,
    /// The request, to trace the event back to it.
    pub request_id: RequestId,
    /// The span that the event belongs to; `None` when the request is not traced.
    pub trace: Option<TraceContext>,
    /// The client's idempotency key, if it sent one.
    pub idempotency_key: Option<IdempotencyKey>,
}

failure! {
    /// Why a dispense was not recorded. The texts are part of the protocol.
    #[derive(Debug)]
    pub enum CreateError {
    } wraps {
        /// The idempotency key was used for another request (docs/adr/0012).
        Idempotency(IdempotencyError);
        /// The legal entity may not act (N04).
        LegalEntity(LegalEntityError);
        /// A rule refuses it (N05 to N33).
        Refused(CreateRefusal);
        /// A store failed.
        Store(StoreError) => "the dispense could not be recorded";
    }
}

/// Records a device dispense (section 5).
#[derive(Clone)]
pub struct CreateDispense {
    /// Where dispenses are written.
    pub writes: Arc<dyn DispenseWrites>,
    /// What the dispense rests on.
    pub registries: Arc<dyn Registries>,
    /// Where legal entities are looked up.
    pub legal_entities: Arc<dyn LegalEntities>,
    /// The types of legal entity that may act (rule 4).
    pub allowed_types: AllowedTypes,
    /// The pseudonyms of patients.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The day in Ukraine.
    pub calendar: Arc<dyn Calendar>,
    /// The source of event ids.
    pub ids: Arc<dyn IdGenerator>,
    /// What the operator has decided.
    pub policy: CreatePolicy,
}

impl Operation for CreateDispense {
    const NAME: &'static str = "create_device_dispense";
    const SCOPE: &'static str = "device_dispense:write";
    const CALLER: CallerKind = CallerKind::User;
    type Error = CreateError;
}

impl CreateDispense {
    /// Records the dispense and returns it.
    ///
    /// The registries and the request are asked side by side. The store decides on the request while it holds, so that of concurrent creates for
    /// one request with a quantity one succeeds. With an idempotency key a repetition gets the first answer.
    ///
    /// # Errors
    /// [`CreateError`], of the first rule that fails. After [`CreateError::Store`] it may or may not be recorded; the same request under the same
    /// idempotency key tells.
    pub async fn execute(&self, permit: &Permit<Self>, input: CreateInput) -> Result<Dispense, CreateError> {
        let owner = active_legal_entity(&*self.legal_entities, &self.allowed_types, permit).await;
        let owner = owner.map_err(CreateError::Store)?.map_err(CreateError::LegalEntity)?;
        let CreateInput { patient_id, body, request_id, trace, idempotency_key } = input;
        let patient = patient_id.ok_or(CreateError::Refused(CreateRefusal::PatientNotFound))?;
        let subject = self.pseudonyms.of(patient);
        let at = to_millis(self.clock.now());
        let event_id = EventId::new(self.ids.fresh());
        let cause = Cause { at, by: permit.user(), request_id, trace };
        let entity = (EntityType::DEVICE_DISPENSE, body.id.uuid());
        let event = cause.event(event_id, entity, DispenseStatus::InProgress.as_str());
        let idempotency = idempotency_key.map(|key| {
            let (id, fingerprint) = (body.id.uuid(), body.fingerprint());
            let parts: [&[u8]; 3] = [id.as_bytes(), subject.expose().as_bytes(), &fingerprint];
            IdempotentRequest::new(Self::NAME, permit.client(), &key, &parts)
        });
        let policy = self.policy.clone();
        let query = RequestQuery {
            request: body.based_on.id,
            id: body.id,
            active_since: policy.active_since(at),
            codes_since: at.saturating_sub(CreatePolicy::WRONG_CODES_WINDOW),
        };
        let registry_query = registry_query(&body, &subject, owner, permit);
        let (registries, seen) =
            join(self.registries.facts(&registry_query), self.writes.request_facts(&query)).await;
        let registries = registries.map_err(CreateError::Store)?;
        let today = self.calendar.day_of(at);
        let mut facts = CreateFacts {
            body,
            subject: subject.clone(),
            owner,
            user: permit.user(),
            at,
            today,
            registries,
            policy,
        };
        let seen = seen.map_err(|error| match facts.refusal_before_request() {
            Some(refusal) if error.kind() == StoreErrorKind::Corrupt => CreateError::Refused(refusal),
            _ => CreateError::Store(error),
        })?;
        if let Some(choice) = facts.further_devices(&seen) {
            let further = self.registries.program_devices(&choice).await.map_err(CreateError::Store)?;
            facts.add_program_devices(further);
        }
        let decide = Arc::new(move |found: &_| facts.decide(found));
        let create =
            Create { query, seen, owner, subject, decide, at, by: permit.user(), event, idempotency };
        let written = self.writes.create(&create).await.map_err(CreateError::Store)?;
        written.into_result(CreateError::Refused, CreateError::Idempotency)
    }
}

/// Everything that the rules read from registries.
fn registry_query(
    body: &NewDispense,
    subject: &Pseudonym,
    legal_entity: esoz_kernel::LegalEntityId,
    permit: &Permit<CreateDispense>,
) -> RegistryQuery {
    let definitions: BTreeSet<_> =
        body.details.iter().filter_map(|detail| detail.device.definition()).collect();
    let definitions: Vec<_> = definitions.into_iter().collect();
    let types: BTreeSet<&String> = (body.details.iter())
        .filter_map(|detail| match &detail.device {
            NewDevice::Code { code, .. } => Some(code),
            NewDevice::Reference(_) => None,
        })
        .collect();
    let program = body.program.as_ref().map(|program| program.id);
    let ids = body.details.iter().filter_map(|detail| detail.program_device.as_ref());
    RegistryQuery {
        subject: subject.clone(),
        user: permit.user(),
        legal_entity,
        performer: body.performer.id,
        location: body.location.id,
        program,
        program_devices: DeviceChoice {
            ids: ids.map(|device| esoz_kernel::ProgramDeviceId::new(device.named.id)).collect(),
            program,
            definitions: definitions.clone(),
            classification_types: types.into_iter().cloned().collect(),
        },
        definitions,
    }
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
