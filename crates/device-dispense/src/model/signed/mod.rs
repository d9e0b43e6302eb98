//! The rules of changes by a signed document (sections 6 and 7), each a pure function of facts.

mod complete;
mod content;
mod equality;
mod mark_in_error;
mod refusal;

use esoz_events::EntityType;
use esoz_kernel::{CivilDate, EventId, LegalEntityId, PatientId, Pseudonym, StoreError, Timestamp};
use serde_json::{Map, Value};

pub use complete::CompleteFacts;
pub use content::{DocumentError, MAX_NOTE_CHARS, SignedDispense};
pub use mark_in_error::MarkInErrorFacts;
pub use refusal::ChangeRefusal;

use super::dispense::Dispense;
use super::rules::visible;
use super::status::DispenseStatus;
use crate::ports::{Cause, DispenseFacts, DispenseUpdate};

/// What a change by a signed document rests on, but for what the store of dispenses knows.
#[derive(Debug, Clone)]
pub struct SignedChange {
    /// The patient named in the request.
    pub patient: PatientId,
    /// The pseudonym of the patient.
    pub subject: Pseudonym,
    /// The legal entity that changes it, which is active.
    pub owner: LegalEntityId,
    /// What causes it.
    pub cause: Cause,
    /// The day in Ukraine.
    pub today: CivilDate,
    /// What was signed.
    pub content: SignedDispense,
    /// The key of the container in the media storage.
    pub link: String,
    /// The id of the event, and that of the request's event.
    pub event_ids: [EventId; 2],
}

impl SignedChange {
    /// The dispense, if the caller may see it (K06, E05).
    fn dispense(&self, found: &mut DispenseFacts) -> Result<Result<Dispense, ChangeRefusal>, StoreError> {
        let visible = visible(found.stored.take(), self.owner, &self.subject)?;
        Ok(visible.map_err(ChangeRefusal::NotFound))
    }

    /// The update that makes the dispense one of that status at that time.
    fn update(
        &self,
        dispense: &Dispense,
        (to, at): (DispenseStatus, Timestamp),
        set: Map<String, Value>,
    ) -> DispenseUpdate {
        let [id, _] = self.event_ids;
        let cause = Cause { at, ..self.cause.clone() };
        DispenseUpdate {
            to,
            reason: None,
            set,
            link: self.link.clone(),
            event: cause.event(id, (EntityType::DEVICE_DISPENSE, dispense.id.uuid()), to.as_str()),
            is_request_compared: false,
            completed_request: None,
        }
    }
}

#[cfg(test)]
mod tests;
