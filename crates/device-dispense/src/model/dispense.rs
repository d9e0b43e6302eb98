use std::fmt;

use esoz_kernel::{DispenseId, LegalEntityId, StoreError};
use serde_json::{Map, Value};

use super::fields::RECORD;
use super::status::DispenseStatus;

/// What stands for a patient in a store: computed from the patient id, never the id itself. Hidden from `Debug`, and it
/// never leaves the service.
#[derive(Clone, PartialEq, Eq)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// Takes a computed or a stored pseudonym.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text to store and to compare with.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pseudonym(…)")
    }
}

/// A dispense: the facts that rules read, typed, and the whole record, carried.
///
/// The record is not interpreted: after a change has committed nothing about it may fail any more (docs/adr/0003).
#[derive(Clone, PartialEq)]
pub struct Dispense {
    /// Its id.
    pub id: DispenseId,
    /// Its status.
    pub status: DispenseStatus,
    /// The patient, as the store knows them.
    pub subject: Pseudonym,
    /// The legal entity it belongs to (`performer_legal_entity.identifier.value`).
    pub owner: LegalEntityId,
    /// The fields of [`RECORD`] that are stored, `status` included, as JSON: UUIDs as lower-case text, times as ISO 8601
    /// in UTC with milliseconds. Neither the id nor the subject.
    pub record: Map<String, Value>,
}

impl Dispense {
    /// A dispense as a store holds it: what rules read, and the stored fields as JSON, of which those of [`RECORD`] are taken.
    ///
    /// A status, in the history too, is shown as the status model spells it, however it is stored.
    pub fn from_stored(
        id: DispenseId,
        status: DispenseStatus,
        subject: Pseudonym,
        owner: LegalEntityId,
        mut record: Map<String, Value>,
    ) -> Self {
        record.retain(|field, _| RECORD.field(field).is_some());
        record.get_mut(STATUS).into_iter().for_each(spell);
        if let Some(Value::Array(history)) = record.get_mut(STATUS_HISTORY) {
            history.iter_mut().filter_map(|entry| entry.get_mut(STATUS)).for_each(spell);
        }
        Self { id, status, subject, owner, record }
    }
}

/// A dispense as a read finds it: whose it is and about whom, and beside that the dispense, or why it is corrupt.
///
/// So whoever may not know of it is not told that it is corrupt: [`visible`](crate::visible) looks at the dispense last.
#[derive(Debug)]
pub struct StoredDispense {
    /// The legal entity it belongs to.
    pub owner: LegalEntityId,
    /// The patient, as the store knows them.
    pub subject: Pseudonym,
    /// The dispense; an error of kind corrupt when its status is none of the model.
    pub dispense: Result<Dispense, StoreError>,
}

impl StoredDispense {
    /// A dispense as a store holds it ([`Dispense::from_stored`]), or that its status cannot be read.
    pub fn new(
        id: DispenseId,
        status: Result<DispenseStatus, StoreError>,
        subject: Pseudonym,
        owner: LegalEntityId,
        record: Map<String, Value>,
    ) -> Self {
        let dispense = status.map(|status| Dispense::from_stored(id, status, subject.clone(), owner, record));
        Self { owner, subject, dispense }
    }
}

impl From<Dispense> for StoredDispense {
    fn from(dispense: Dispense) -> Self {
        Self { owner: dispense.owner, subject: dispense.subject.clone(), dispense: Ok(dispense) }
    }
}

/// Spells a status as the status model does; leaves everything else as it is.
fn spell(status: &mut Value) {
    if let Some(known) = status.as_str().and_then(|word| word.parse::<DispenseStatus>().ok()) {
        *status = known.as_str().into();
    }
}

impl fmt::Debug for Dispense {
    /// Leaves out the record: it is health data.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, status, owner, .. } = self;
        formatter
            .debug_struct("Dispense")
            .field("id", id)
            .field("status", status)
            .field("owner", owner)
            .finish_non_exhaustive()
    }
}

const STATUS: &str = "status";
const STATUS_HISTORY: &str = "status_history";
