//! Replays: what is kept of a transition under its idempotency key, and the first answer, rebuilt from the document as it is now.

use bson::{Document, RawDocument, doc};
use esoz_device_dispense::{Dispense, DispenseStatus, Transition};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{IdempotentRequest, StoreError, Timestamp, UserId};
use serde_json::{Map, Value};

use super::{bson_to_json, document};
use crate::{
    fields::{
        INSERTED_AT, INSERTED_BY, KEY, KEY_AT, KEY_BY, KEY_REQUEST, KEY_STATUS, KEYS, STATUS, STATUS_HISTORY,
        UPDATED_AT, UPDATED_BY,
    },
    values::{binary, digest, millis, time, uuid},
};

/// What a transition set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    pub(crate) status: DispenseStatus,
    pub(crate) at: Timestamp,
    pub(crate) by: UserId,
}

impl Effect {
    pub(crate) fn of(transition: &Transition) -> Self {
        Self { status: transition.to, at: transition.at, by: transition.by }
    }

    /// The dispense right after the transition. Later transitions are taken out; what other systems have written since shows.
    pub(crate) fn dispense(
        self,
        transition: &Transition,
        document: &RawDocument,
    ) -> Result<Dispense, StoreError> {
        let record = self.as_it_was(bson_to_json::record(document));
        document::committed(transition, self.status, document, record)
    }

    fn as_it_was(self, mut record: Map<String, Value>) -> Map<String, Value> {
        let (status, at, by) = (self.status.as_str(), rfc3339_millis(self.at), self.by.to_string());
        if let Some(Value::Array(history)) = record.get_mut(STATUS_HISTORY) {
            let is_of_it = |entry: &Value| {
                let is = |field: &str, value: &str| entry.get(field).and_then(Value::as_str) == Some(value);
                is(STATUS, status) && is(INSERTED_AT, &at) && is(INSERTED_BY, &by)
            };
            if let Some(place) = history.iter().position(is_of_it) {
                history.truncate(place + 1);
            }
        }
        record.insert(STATUS.to_owned(), status.into());
        record.insert(UPDATED_AT.to_owned(), at.into());
        record.insert(UPDATED_BY.to_owned(), by.into());
        record
    }
}

/// What is kept under an idempotency key.
pub(crate) struct Kept {
    pub(crate) request: Vec<u8>,
    pub(crate) effect: Effect,
}

/// Encodes an idempotency key for the document of its transition.
pub(crate) fn stored_key(change: &Transition, idempotency: &IdempotentRequest) -> Document {
    doc! {
        KEY: digest(idempotency.key()),
        KEY_REQUEST: digest(idempotency.request()),
        KEY_STATUS: change.to.as_str(),
        KEY_AT: millis(change.at),
        KEY_BY: binary(change.by.uuid()),
    }
}

/// Decodes what the document keeps under the key.
pub(crate) fn kept(document: &RawDocument, idempotency: &IdempotentRequest) -> Option<Kept> {
    let keys = document.get_array(KEYS).ok()?;
    let entries = keys.into_iter().filter_map(|entry| entry.ok()?.as_document());
    let entry = entries.into_iter().find(|entry| bytes(entry, KEY) == Some(idempotency.key().as_slice()))?;
    let effect = Effect {
        status: entry.get_str(KEY_STATUS).ok()?.parse().ok()?,
        at: time(entry, KEY_AT)?,
        by: UserId::new(uuid(entry, KEY_BY)?),
    };
    Some(Kept { request: bytes(entry, KEY_REQUEST)?.to_vec(), effect })
}

fn bytes<'a>(entry: &'a RawDocument, field: &str) -> Option<&'a [u8]> {
    Some(entry.get_binary(field).ok()?.bytes)
}
