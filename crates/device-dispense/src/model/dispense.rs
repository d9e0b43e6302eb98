use std::fmt;

use esoz_kernel::{DispenseId, LegalEntityId, Pseudonym, StoreError, Timestamp};
use serde_json::{Map, Value};

use super::fields::{RECORD, is_internal};
use super::status::DispenseStatus;

/// A dispense: the facts that rules read, typed, and the whole record as JSON.
///
/// The record is not interpreted, so that nothing can fail after a change has committed (docs/adr/0003).
#[derive(Clone, PartialEq)]
pub struct Dispense {
    /// Its id.
    pub id: DispenseId,
    /// Its status.
    pub status: DispenseStatus,
    /// The pseudonym of its patient.
    pub subject: Pseudonym,
    /// The legal entity it belongs to (`performer_legal_entity.identifier.value`).
    pub owner: LegalEntityId,
    /// The fields of [`RECORD`] that are stored, `status` included, as JSON: UUIDs as lower-case text, times as ISO 8601
    /// in UTC with milliseconds. Neither the id nor the subject. In an import and an export other fields as well.
    pub record: Map<String, Value>,
}

impl Dispense {
    /// Creates a dispense from its stored fields. Of the record, fields outside [`RECORD`] are dropped, and statuses, in the history too, get
    /// the spelling of the status model.
    pub fn from_stored(
        id: DispenseId,
        status: DispenseStatus,
        subject: Pseudonym,
        owner: LegalEntityId,
        mut record: Map<String, Value>,
    ) -> Self {
        record.retain(|field, _| RECORD.field(field).is_some());
        Self::from_stored_whole(id, status, subject, owner, record)
    }

    /// Creates a dispense from its stored fields, those outside [`RECORD`] included, but for those that [only the store](is_internal) writes.
    /// Statuses get the spelling of the status model.
    pub fn from_stored_whole(
        id: DispenseId,
        status: DispenseStatus,
        subject: Pseudonym,
        owner: LegalEntityId,
        mut record: Map<String, Value>,
    ) -> Self {
        record.retain(|field, _| !is_internal(field));
        record.get_mut(STATUS).into_iter().for_each(spell);
        if let Some(Value::Array(history)) = record.get_mut(STATUS_HISTORY) {
            history.iter_mut().filter_map(|entry| entry.get_mut(STATUS)).for_each(spell);
        }
        Self { id, status, subject, owner, record }
    }

    /// Returns when it was recorded (`inserted_at`); `None` when that cannot be read.
    pub fn inserted_at(&self) -> Option<Timestamp> {
        self.record.get(INSERTED_AT)?.as_str()?.parse().ok()
    }
}

/// Which stored fields get into the record of a dispense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFields {
    /// Those of [`RECORD`] ([`Dispense::from_stored`]).
    Known,
    /// All that are not the store's own ([`Dispense::from_stored_whole`]).
    All,
}

/// A dispense as a store found it: owner and patient, and the dispense or the reason why it is corrupt.
///
/// They are separate so that only a caller who may see the dispense learns that it is corrupt: see [`visible`](crate::visible).
#[derive(Debug)]
pub struct StoredDispense {
    /// The legal entity it belongs to.
    pub owner: LegalEntityId,
    /// The pseudonym of its patient; `None` when that cannot be decoded.
    pub subject: Option<Pseudonym>,
    /// The dispense; an error of kind corrupt when its subject cannot be decoded or its status is not in the model.
    pub dispense: Result<Dispense, StoreError>,
}

impl StoredDispense {
    /// Creates it from stored fields, or from the errors that its status or subject cannot be decoded.
    pub fn new(
        id: DispenseId,
        status: Result<DispenseStatus, StoreError>,
        subject: Result<Pseudonym, StoreError>,
        owner: LegalEntityId,
        record: Map<String, Value>,
        fields: RecordFields,
    ) -> Self {
        let known = subject.as_ref().ok().cloned();
        let dispense = subject.and_then(|subject| {
            let status = status?;
            Ok(match fields {
                RecordFields::Known => Dispense::from_stored(id, status, subject, owner, record),
                RecordFields::All => Dispense::from_stored_whole(id, status, subject, owner, record),
            })
        });
        Self { owner, subject: known, dispense }
    }
}

impl From<Dispense> for StoredDispense {
    fn from(dispense: Dispense) -> Self {
        Self { owner: dispense.owner, subject: Some(dispense.subject.clone()), dispense: Ok(dispense) }
    }
}

/// Rewrites a status in the spelling of the status model; leaves other values unchanged.
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

pub(super) const STATUS: &str = "status";
const STATUS_HISTORY: &str = "status_history";
pub(super) const WHEN_HANDED_OVER: &str = "when_handed_over";
pub(super) const INSERTED_AT: &str = "inserted_at";
