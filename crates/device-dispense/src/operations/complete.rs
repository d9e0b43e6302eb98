use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{IdempotencyError, StoreError, failure, time::to_millis};
use esoz_legal_entity::LegalEntityError;

use super::active_legal_entity;
use super::signed::{Asker, SignedInput, SignedPorts};
use crate::{ChangeRefusal, CompleteFacts, Dispense, DispenseStatus, DocumentError, NotVisible};

failure! {
    /// Why a dispense was not completed. The texts are part of the protocol.
    #[derive(Debug)]
    pub enum CompleteError {
    } wraps {
        /// The idempotency key was used for another request (docs/adr/0012).
        Idempotency(IdempotencyError);
        /// The signed document is not accepted (K03, K04).
        Document(DocumentError);
        /// The legal entity may not act (K05).
        LegalEntity(LegalEntityError);
        /// A rule refuses it (K06 to K13).
        Refused(ChangeRefusal = [
            ChangeRefusal::NotFound(NotVisible::Unknown),
            ChangeRefusal::PaymentMissing,
            ChangeRefusal::Period,
            ChangeRefusal::RequestNotActive,
            ChangeRefusal::NotAuthor,
            ChangeRefusal::CannotBeCompleted(DispenseStatus::Stopped),
            ChangeRefusal::SignedStatus,
            ChangeRefusal::Mismatch("details"),
        ]);
        /// A store, the verifier or the media storage failed.
        Store(StoreError) => "the dispense could not be completed";
    }
}

/// Completes a device dispense by a signed document (section 6).
#[derive(Clone)]
pub struct CompleteDispense {
    /// The ports.
    pub ports: SignedPorts,
    /// Whether only who recorded a dispense may complete it (K10).
    pub is_author_required: bool,
}

impl Operation for CompleteDispense {
    const NAME: &'static str = "complete_device_dispense";
    const SCOPE: &'static str = "device_dispense:complete";
    const CALLER: CallerKind = CallerKind::User;
    type Error = CompleteError;
}

impl CompleteDispense {
    /// Completes the dispense and returns it as it is afterwards. A request with a quantity becomes completed with it, in the same commit.
    ///
    /// # Errors
    /// [`CompleteError`], of the first rule that fails. After [`CompleteError::Store`] it may or may not be completed; the same request tells.
    pub async fn execute(
        &self,
        permit: &Permit<Self>,
        input: SignedInput,
    ) -> Result<Dispense, CompleteError> {
        let ports = &self.ports;
        let content = ports.document(&input, permit.user(), &CompleteFacts::FREE).await;
        let content = match content.map_err(CompleteError::Store)? {
            Ok(content) => content,
            Err(refused) => return self.first_answer_or(refused, permit, &input).await,
        };
        let owner = active_legal_entity(&*ports.legal_entities, &ports.allowed_types, permit).await;
        let owner = owner.map_err(CompleteError::Store)?.map_err(CompleteError::LegalEntity)?;
        let no_id = || CompleteError::Refused(ChangeRefusal::NotFound(NotVisible::MalformedId));
        let (patient, id) = input.patient_id.zip(input.dispense_id).ok_or_else(no_id)?;
        let asker = Asker { operation: Self::NAME, user: permit.user(), client: permit.client(), owner };
        let (change, key) = ports.change(asker, &input, (patient, id), content);
        let handed_over = change.content.when_handed_over().map(|time| ports.calendar.day_of(time));
        let facts =
            Arc::new(CompleteFacts { change, handed_over, is_author_required: self.is_author_required });
        let found = ports.writes.facts(id).await.map_err(CompleteError::Store)?;
        let decide = {
            let (facts, clock) = (Arc::clone(&facts), Arc::clone(&ports.clock));
            Arc::new(move |found| facts.decide(found, to_millis(clock.now())))
        };
        let written = ports.commit(asker, input, (&facts.change, key), found, decide).await;
        let written = written.map_err(CompleteError::Store)?;
        written.into_result(CompleteError::Refused, CompleteError::Idempotency)
    }

    /// Replays the first answer to a retry of a legal entity that may still act; else returns the refusal of its document.
    async fn first_answer_or(
        &self,
        refused: DocumentError,
        permit: &Permit<Self>,
        input: &SignedInput,
    ) -> Result<Dispense, CompleteError> {
        let ports = &self.ports;
        if !SignedPorts::may_repeat(input, &refused) {
            return Err(CompleteError::Document(refused));
        }
        let owner = active_legal_entity(&*ports.legal_entities, &ports.allowed_types, permit).await;
        let owner = owner.map_err(CompleteError::Store)?.ok();
        let Some((owner, ids)) = owner.zip(input.patient_id.zip(input.dispense_id)) else {
            return Err(CompleteError::Document(refused));
        };
        let asker = Asker { operation: Self::NAME, user: permit.user(), client: permit.client(), owner };
        let first = ports.first_answer(asker, input, ids, &refused).await.map_err(CompleteError::Store)?;
        first.ok_or(CompleteError::Document(refused))
    }
}
