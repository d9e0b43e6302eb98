use std::collections::BTreeSet;
use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{IdempotencyError, StoreError, failure, time::to_millis};
use esoz_legal_entity::LegalEntityError;

use super::active_legal_entity;
use super::signed::{Asker, SignedInput, SignedPorts};
use crate::model::rules::check_visible;
use crate::{ChangeRefusal, Dispense, DispenseStatus, DocumentError, MarkInErrorFacts, NotVisible};

failure! {
    /// Why a dispense was not marked in error. The texts are part of the protocol.
    #[derive(Debug)]
    pub enum MarkInErrorError {
    } wraps {
        /// The idempotency key was used for another request (docs/adr/0012).
        Idempotency(IdempotencyError);
        /// The legal entity may not act (E04).
        LegalEntity(LegalEntityError);
        /// The signed document is not accepted (E06, E07).
        Document(DocumentError);
        /// A rule refuses it (E05, E08 to E11).
        Refused(ChangeRefusal = [
            ChangeRefusal::NotFound(NotVisible::Unknown),
            ChangeRefusal::CannotBeMarkedInError(DispenseStatus::Completed),
            ChangeRefusal::SignedStatus,
            ChangeRefusal::Reason,
            ChangeRefusal::Mismatch("details"),
        ]);
        /// A store, the verifier or the media storage failed.
        Store(StoreError) => "the dispense could not be marked in error";
    }
}

/// Marks a device dispense as recorded by mistake, by a signed document (section 7).
#[derive(Clone)]
pub struct MarkDispenseInError {
    /// The ports.
    pub ports: SignedPorts,
    /// The dictionary of reasons (E10).
    pub reasons: BTreeSet<String>,
}

impl Operation for MarkDispenseInError {
    const NAME: &'static str = "mark_device_dispense_in_error";
    const SCOPE: &'static str = "device_dispense:mark_in_error";
    const CALLER: CallerKind = CallerKind::User;
    type Error = MarkInErrorError;
}

impl MarkDispenseInError {
    /// Marks the dispense in error and returns it as it is afterwards. The request stays as it is.
    ///
    /// # Errors
    /// [`MarkInErrorError`], of the first rule that fails. After [`MarkInErrorError::Store`] it may or may not be marked; the same request tells.
    pub async fn execute(
        &self,
        permit: &Permit<Self>,
        input: SignedInput,
    ) -> Result<Dispense, MarkInErrorError> {
        let ports = &self.ports;
        let owner = active_legal_entity(&*ports.legal_entities, &ports.allowed_types, permit).await;
        let owner = owner.map_err(MarkInErrorError::Store)?.map_err(MarkInErrorError::LegalEntity)?;
        let not_found = |why| MarkInErrorError::Refused(ChangeRefusal::NotFound(why));
        let ids = input.patient_id.zip(input.dispense_id);
        let (patient, id) = ids.ok_or_else(|| not_found(NotVisible::MalformedId))?;
        let found = ports.writes.facts(id).await.map_err(MarkInErrorError::Store)?;
        // Whether the dispense is theirs is asked before the signature (E05); the rest of it may be corrupt.
        let stored = found.stored.as_ref().ok_or_else(|| not_found(NotVisible::Unknown))?;
        let subject = ports.pseudonyms.of(patient);
        check_visible(stored, owner, &subject).map_err(not_found)?;
        let content = ports.document(&input, permit.user(), &MarkInErrorFacts::FREE).await;
        let asker = Asker { operation: Self::NAME, user: permit.user(), client: permit.client(), owner };
        let content = match content.map_err(MarkInErrorError::Store)? {
            Ok(content) => content,
            Err(refused) => {
                let first = ports.first_answer(asker, &input, (patient, id), &refused).await;
                return first.map_err(MarkInErrorError::Store)?.ok_or(MarkInErrorError::Document(refused));
            }
        };
        let (change, key) = ports.change(asker, &input, (patient, id), content);
        let facts = Arc::new(MarkInErrorFacts { change, reasons: self.reasons.clone() });
        let decide = {
            let (facts, clock) = (Arc::clone(&facts), Arc::clone(&ports.clock));
            Arc::new(move |found| facts.decide(found, to_millis(clock.now())))
        };
        let written = ports.commit(asker, input, (&facts.change, key), found, decide).await;
        let written = written.map_err(MarkInErrorError::Store)?;
        written.into_result(MarkInErrorError::Refused, MarkInErrorError::Idempotency)
    }
}
