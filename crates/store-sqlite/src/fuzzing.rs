//! Ways in for fuzz targets: from stored text to what the domain knows of it, and back, without a file.

use esoz_device_dispense::Dispense;
use esoz_kernel::StoreError;

use crate::device_dispense::document;

pub use crate::outbox::event_of as event;

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
