use std::fmt;

use esoz_kernel::{DispenseId, LegalEntityId};
use serde_json::{Map, Value};

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
    /// The fields of [`RECORD_FIELDS`] that are stored, `status` included, as JSON: UUIDs as lower-case text, times as ISO 8601
    /// in UTC with milliseconds. Neither the id nor the subject.
    pub record: Map<String, Value>,
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

/// The fields of a dispense that are shown, in this order (method 1, "The document"). What else is stored stays in the store.
pub const RECORD_FIELDS: [&str; 26] = [
    "status",
    "status_reason",
    "status_history",
    "based_on",
    "performer",
    "location",
    "performer_legal_entity",
    "program",
    "primary_source",
    "when_handed_over",
    "note",
    "details",
    "payment_id",
    "payment_amount",
    "part_of",
    "encounter",
    "context_episode_id",
    "origin_episode_id",
    "supporting_info",
    "external_provider",
    "report_origin",
    "signed_content_links",
    "inserted_at",
    "inserted_by",
    "updated_at",
    "updated_by",
];
