//! What the changes by a signed document share: who signed, and a container that is kept before the change commits.

use std::sync::Arc;

use esoz_kernel::{
    Calendar, ClientId, Clock, DispenseId, EventId, IdGenerator, IdempotencyKey, IdempotentRequest,
    LegalEntityId, PatientId, Pseudonym, RequestId, StoreError, StoreErrorKind, TraceContext, UserId,
    Written, time::to_millis,
};
use esoz_legal_entity::{AllowedTypes, LegalEntities};
use esoz_registries::Registries;
use esoz_signed_content::{
    DrfoDigests, MediaKey, MediaStorage, SignatureVerifier, require_signer, signed_by_one,
};

use crate::{
    Cause, Change, ChangeRefusal, DecideChange, Dispense, DispenseFacts, DispenseWrites, DocumentError,
    NotVisible, PatientPseudonyms, SignedChange, SignedDispense,
};

/// A dispense to change, and the signed document.
#[derive(Clone)]
pub struct SignedInput {
    /// The patient named in the request; `None` when that was no UUID.
    pub patient_id: Option<PatientId>,
    /// The dispense named in the request; `None` when that was no UUID.
    pub dispense_id: Option<DispenseId>,
    /// The container, as it was sent.
    pub container: Vec<u8>,
    /// The request, to trace the events back to it.
    pub request_id: RequestId,
    /// The span that the events belong to; `None` when the request is not traced.
    pub trace: Option<TraceContext>,
    /// The client's idempotency key, if it sent one.
    pub idempotency_key: Option<IdempotencyKey>,
}

esoz_kernel::opaque_debug!(SignedInput);

/// The ports of the changes by a signed document.
#[derive(Clone)]
pub struct SignedPorts {
    /// Where dispenses are written.
    pub writes: Arc<dyn DispenseWrites>,
    /// Where the parties of users are looked up.
    pub registries: Arc<dyn Registries>,
    /// Where legal entities are looked up.
    pub legal_entities: Arc<dyn LegalEntities>,
    /// The types of legal entity that may act.
    pub allowed_types: AllowedTypes,
    /// The pseudonyms of patients.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
    /// The digests of taxpayer numbers.
    pub digests: Arc<dyn DrfoDigests>,
    /// Verifies containers.
    pub verifier: Arc<dyn SignatureVerifier>,
    /// Keeps containers.
    pub media: Arc<dyn MediaStorage>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The day in Ukraine.
    pub calendar: Arc<dyn Calendar>,
    /// The source of event ids and keys.
    pub ids: Arc<dyn IdGenerator>,
}

/// Who asks for a change, and under which name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) operation: &'static str,
    pub(super) user: UserId,
    pub(super) client: ClientId,
    pub(super) owner: LegalEntityId,
}

impl SignedPorts {
    /// Verifies the container, reads its content, in which the client may set the `free` fields, and checks the signer.
    pub(super) async fn document(
        &self,
        input: &SignedInput,
        user: UserId,
        free: &[&str],
    ) -> Result<Result<SignedDispense, DocumentError>, StoreError> {
        let verified = self.verifier.verify(&input.container).await?;
        let (content, signer) = match signed_by_one(verified) {
            Ok(signed) => signed,
            Err(refused) => return Ok(Err(DocumentError::Container(refused))),
        };
        let content = match SignedDispense::parse(&content, free, input.patient_id) {
            Ok(content) => content,
            Err(refused) => return Ok(Err(refused)),
        };
        let party = self.registries.party(user).await?;
        let digest = party.as_ref().and_then(|party| party.drfo.as_ref());
        let is_user = require_signer(signer.drfo.as_ref(), digest, &*self.digests);
        Ok(is_user.map(|()| content).map_err(DocumentError::Signer))
    }

    /// The facts of the change, with fresh ids.
    pub(super) fn change(
        &self,
        asker: Asker,
        input: &SignedInput,
        ids: (PatientId, DispenseId),
        content: SignedDispense,
    ) -> (SignedChange, MediaKey) {
        let at = to_millis(self.clock.now());
        let (patient, dispense) = ids;
        let today = self.calendar.day_of(at);
        let key = MediaKey::new(today, dispense, self.ids.fresh());
        let change = SignedChange {
            patient,
            subject: self.pseudonyms.of(patient),
            owner: asker.owner,
            cause: Cause { at, by: asker.user, request_id: input.request_id.clone(), trace: input.trace },
            today,
            content,
            link: key.to_string(),
            event_ids: [EventId::new(self.ids.fresh()), EventId::new(self.ids.fresh())],
        };
        (change, key)
    }

    /// Whether the request may be a retry of one whose container was accepted.
    pub(super) const fn may_repeat(input: &SignedInput, refused: &DocumentError) -> bool {
        input.idempotency_key.is_some() && matches!(refused, DocumentError::Container(_))
    }

    /// Replays the first answer to a retry under an idempotency key whose container fails verification by now (expired certificate, newer revocation
    /// list): the digest proves that the same bytes were verified by the first request. `None`: it is no retry.
    pub(super) async fn first_answer(
        &self,
        asker: Asker,
        input: &SignedInput,
        (patient, id): (PatientId, DispenseId),
        refused: &DocumentError,
    ) -> Result<Option<Dispense>, StoreError> {
        if !Self::may_repeat(input, refused) {
            return Ok(None);
        }
        let subject = self.pseudonyms.of(patient);
        let Some(idempotency) = idempotent(asker, input, id, &subject) else { return Ok(None) };
        let refusal = ChangeRefusal::NotFound(NotVisible::Unknown);
        let change = Change {
            id,
            owner: asker.owner,
            subject,
            decided: None,
            decide: Arc::new(move |_| Ok(Err(refusal.clone()))),
            at: to_millis(self.clock.now()),
            by: asker.user,
            idempotency: Some(idempotency),
        };
        let written = self.writes.change(&change).await?;
        Ok(if let Written::Replayed(dispense) = written { Some(dispense) } else { None })
    }

    /// Keeps the container, commits the change, and removes the container again if the change did not take effect.
    ///
    /// Decides on the facts that were `found` first, so that no container is kept for a change that is refused. Under an idempotency key the store is
    /// asked even then: it may know the first answer.
    pub(super) async fn commit(
        &self,
        asker: Asker,
        input: SignedInput,
        (change, key): (&SignedChange, MediaKey),
        found: DispenseFacts,
        decide: DecideChange,
    ) -> Result<Written<Dispense, ChangeRefusal>, StoreError> {
        let (decided, decide): (_, DecideChange) = match found.decide(&decide)? {
            Ok(decided) => (Some(decided), decide),
            Err(refusal) if input.idempotency_key.is_none() => return Ok(Written::Refused(refusal)),
            // No container is kept, so nothing may be committed.
            Err(refusal) => (None, Arc::new(move |_: DispenseFacts| Ok(Err(refusal.clone())))),
        };
        let is_kept = decided.is_some();
        if is_kept {
            self.media.put(&key, &input.container).await?;
        }
        let id = key.dispense();
        let idempotency = idempotent(asker, &input, id, &change.subject);
        let (owner, subject) = (change.owner, change.subject.clone());
        let change = Change {
            id,
            owner,
            subject,
            decided,
            decide,
            at: change.cause.at,
            by: change.cause.by,
            idempotency,
        };
        let written = self.writes.change(&change).await;
        let is_unused = match &written {
            Ok(written) => !matches!(written, Written::Applied(_)),
            // After the others it is unknown whether the change took effect.
            Err(error) => matches!(error.kind(), StoreErrorKind::Conflict | StoreErrorKind::Corrupt),
        };
        if is_kept && is_unused {
            // If that fails, the sweep removes it.
            drop(self.media.delete(&key).await);
        }
        written
    }
}

/// The request under its idempotency key, if it has one: the dispense, its patient and the very bytes of the container.
fn idempotent(
    asker: Asker,
    input: &SignedInput,
    id: DispenseId,
    subject: &Pseudonym,
) -> Option<IdempotentRequest> {
    let id = id.uuid();
    let parts: [&[u8]; 3] = [id.as_bytes(), subject.expose().as_bytes(), &input.container];
    let key = input.idempotency_key.as_ref()?;
    Some(IdempotentRequest::new(asker.operation, asker.client, key, &parts))
}

#[cfg(test)]
#[path = "signed_tests.rs"]
mod tests;
