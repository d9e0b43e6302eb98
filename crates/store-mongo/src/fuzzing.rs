//! Ways in for fuzz targets: from the bytes of a stored document to what the domain knows of it, and back, without a server.

use bson::RawDocument;
use esoz_device_dispense::{Dispense, Pseudonym, concerns};
use esoz_events::StatusChangeEvent;
use esoz_kernel::{DispenseId, LegalEntityId, StoreError, Uuid};

use crate::{device_dispense::document, event};

/// The dispense in a stored document; `None` when the bytes are none that a server could send.
pub fn dispense(id: DispenseId, document: &[u8]) -> Option<Result<Dispense, StoreError>> {
    RawDocument::from_bytes(document).ok().map(|document| document::to_dispense(id, document)?.dispense)
}

/// Whether a stored document is a dispense of that legal entity about that patient.
pub fn belongs_to(document: &[u8], owner: LegalEntityId, subject: &Pseudonym) -> bool {
    RawDocument::from_bytes(document).is_ok_and(|document| {
        let (stored_owner, stored_subject) = document::owner_and_subject(document);
        concerns((Some(owner), Some(subject)), (stored_owner, stored_subject.as_ref()))
    })
}

/// The events that wait in a stored document; `None` when the bytes are none that a server could send.
pub fn events(entity_id: Uuid, document: &[u8]) -> Option<Result<Vec<StatusChangeEvent>, StoreError>> {
    RawDocument::from_bytes(document)
        .ok()
        .map(|document| event::events(crate::COLLECTION, entity_id, document)?.collect())
}

/// The document of a dispense that is loaded, or why it cannot be stored.
///
/// # Errors
/// Why it cannot be stored.
pub fn document(dispense: &Dispense) -> Result<Vec<u8>, String> {
    document::from_dispense(dispense).map(bson::RawDocumentBuf::into_bytes)
}

/// An event as it waits in the outbox of its entity, in a document that holds nothing else.
///
/// # Errors
/// When it cannot be stored.
pub fn outbox(event: &StatusChangeEvent) -> Result<Vec<u8>, bson::error::Error> {
    let waiting = bson::doc! { crate::OUTBOX: { crate::fields::EVENTS: [event::stored(event)] } };
    bson::RawDocumentBuf::try_from(&waiting).map(bson::RawDocumentBuf::into_bytes)
}
