//! Ways in for fuzz targets: from stored text to what the domain knows of it, and back, without a file.

use esoz_device_dispense::Dispense;
use esoz_events::StatusChangeEvent;
use esoz_kernel::StoreError;

use crate::device_dispense::document;
use crate::outbox::EventRow;

/// The dispense in a stored document.
///
/// # Errors
/// When it holds what ESOZ never writes.
pub fn dispense(id: &str, document: &str) -> Result<Dispense, StoreError> {
    document::to_dispense(id, document)?.dispense
}

/// The document of a dispense that is loaded.
///
/// # Errors
/// Why it cannot be stored.
pub fn document(dispense: &Dispense) -> Result<String, String> {
    document::from_dispense(dispense)
}

/// The event in a row of the outbox: id, type of entity, entity, status, time, user, request id, and the span that it came from.
///
/// # Errors
/// When a column holds what ESOZ never writes.
pub fn event(row: [&str; 7], traceparent: Option<&str>) -> Result<StatusChangeEvent, StoreError> {
    let [event_id, entity_type, entity_id, new_status, event_time, changed_by, request_id] =
        row.map(str::to_owned);
    let traceparent = traceparent.map(str::to_owned);
    EventRow {
        sequence: 0,
        event_id,
        entity_type,
        entity_id,
        new_status,
        event_time,
        changed_by,
        request_id,
        traceparent,
        set_aside_at: None,
    }
    .event()
}
