//! Maps a [`Dispense`] to its stored document and back.

use std::collections::BTreeMap;

use esoz_device_dispense::{Dispense, DispenseStatus, Pseudonym, RecordFields, StoredDispense};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{StoreError, Timestamp, UserId};
use serde_json::{Value, json};

use super::json;
use crate::rows::Location;

const ID: &str = "id";
const STATUS: &str = "status";
const SUBJECT: &str = "subject";
const PERFORMER_LEGAL_ENTITY: &str = "performer_legal_entity";
const OWNER_FIELD: &str = "performer_legal_entity.identifier.value";

/// The JSON paths of the fields that changes write.
pub(crate) mod path {
    pub(crate) const STATUS: &str = "$.status";
    pub(crate) const UPDATED_AT: &str = "$.updated_at";
    pub(crate) const UPDATED_BY: &str = "$.updated_by";
    pub(crate) const STATUS_HISTORY: &str = "$.status_history";
    pub(crate) const SIGNED_CONTENT_LINKS: &str = "$.signed_content_links";
    /// The end of a list.
    pub(crate) const END: &str = "$[#]";
}

/// The entry that a change appends to the history.
pub(crate) fn history_entry(to: DispenseStatus, at: Timestamp, by: UserId, reason: Option<&Value>) -> String {
    let mut entry =
        json!({"status": to.as_str(), "inserted_at": rfc3339_millis(at), "inserted_by": by.to_string()});
    if let (Some(entry), Some(reason)) = (entry.as_object_mut(), reason) {
        entry.insert("status_reason".to_owned(), reason.clone());
    }
    entry.to_string()
}

/// Encodes a dispense, or says why it cannot be stored.
pub(crate) fn from_dispense(dispense: &Dispense) -> Result<String, String> {
    let owner = dispense.record.get(PERFORMER_LEGAL_ENTITY).and_then(owner);
    if owner.and_then(|text| text.parse().ok()) != Some(dispense.owner) {
        return Err(format!("{} is not its owner {}", OWNER_FIELD, dispense.owner));
    }
    let own = [
        (ID, dispense.id.to_string().into()),
        (SUBJECT, dispense.subject.expose().into()),
        (STATUS, dispense.status.as_str().into()),
    ];
    let record = dispense.record.iter().map(|(name, value)| (name.as_str(), value));
    let document: BTreeMap<&str, &Value> =
        record.chain(own.iter().map(|(name, value)| (*name, value))).collect();
    serde_json::to_string(&document).map_err(|error| error.to_string())
}

/// Decodes a stored document.
pub(crate) fn to_dispense(id: &str, document: &str) -> Result<StoredDispense, StoreError> {
    decode(id, document, RecordFields::Known)
}

/// Decodes a stored document with its whole record.
pub(crate) fn to_whole_dispense(id: &str, document: &str) -> Result<Dispense, StoreError> {
    decode(id, document, RecordFields::All)?.dispense
}

fn decode(id: &str, document: &str, fields: RecordFields) -> Result<StoredDispense, StoreError> {
    let location = Location { table: "device_dispenses", id };
    let document = json::read(document).ok_or_else(|| location.corrupt("document"))?;
    let text = |field: &'static str| {
        document.get(field).and_then(Value::as_str).ok_or_else(|| location.corrupt(field))
    };
    let status = text(STATUS).and_then(|word| location.parse::<DispenseStatus>(STATUS, word));
    let subject = text(SUBJECT).map(Pseudonym::new);
    let owner = document.get(PERFORMER_LEGAL_ENTITY).and_then(owner);
    let owner = location.parse(OWNER_FIELD, owner.ok_or_else(|| location.corrupt(OWNER_FIELD))?)?;
    let id = location.parse(ID, id)?;
    let Value::Object(mut record) = document else { return Err(location.corrupt("document")) };
    record.remove(ID);
    Ok(StoredDispense::new(id, status, subject, owner, record, fields))
}

/// The id in a reference.
fn owner(reference: &Value) -> Option<&str> {
    reference.get("identifier")?.get("value")?.as_str()
}
