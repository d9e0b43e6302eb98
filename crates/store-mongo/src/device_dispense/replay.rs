//! Replays: what is kept of a change under its idempotency key, and the first answer, rebuilt from the document as it is now.

use bson::{Document, RawDocument, doc};
use esoz_device_dispense::{Dispense, DispenseStatus, Pseudonym, Transition};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{DispenseId, IdempotentRequest, LegalEntityId, StoreError, Timestamp, UserId};
use serde_json::{Map, Value};

use super::{before, bson_to_json, document};
use crate::{
    fields::{
        COLLECTION, INSERTED_AT, INSERTED_BY, KEY, KEY_AT, KEY_BY, KEY_NEW, KEY_REQUEST, KEY_STATUS, KEYS,
        OWNER, STATUS, STATUS_HISTORY, SUBJECT, UPDATED_AT, UPDATED_BY,
    },
    values::{binary, digest, millis, time, uuid},
};

/// Who is answered, and what of the dispense is known without reading it: a first answer is given to its legal entity and patient alone.
pub(crate) struct Caller<'a> {
    pub(crate) id: DispenseId,
    /// `None`: any.
    pub(crate) owner: Option<LegalEntityId>,
    /// `None`: any.
    pub(crate) subject: Option<&'a Pseudonym>,
    pub(crate) at: Timestamp,
}

impl<'a> Caller<'a> {
    pub(crate) fn of(transition: &'a Transition) -> Self {
        let Transition { id, owner, subject, at, .. } = transition;
        Self { id: *id, owner: *owner, subject: subject.as_ref(), at: *at }
    }

    fn answer(
        &self,
        status: DispenseStatus,
        mut record: Map<String, Value>,
        document: &RawDocument,
    ) -> Result<Dispense, StoreError> {
        let corrupt = |field| StoreError::corrupt(COLLECTION, self.id, field);
        let (owner, subject) = document::owner_and_subject(document);
        record.insert(STATUS.to_owned(), status.as_str().into());
        Ok(Dispense::from_stored(
            self.id,
            status,
            self.subject.cloned().or(subject).ok_or_else(|| corrupt(SUBJECT))?,
            self.owner.or(owner).ok_or_else(|| corrupt(OWNER))?,
            record,
        ))
    }
}

/// What a change set.
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

    /// The dispense right after the change. Later changes are taken out; what other systems have written since shows.
    pub(crate) fn dispense(
        self,
        caller: &Caller<'_>,
        document: &RawDocument,
    ) -> Result<Dispense, StoreError> {
        let mut record = bson_to_json::record(document);
        let (status, at, by) = (self.status.as_str(), rfc3339_millis(self.at), self.by.to_string());
        let mut entries = None;
        if let Some(Value::Array(history)) = record.get_mut(STATUS_HISTORY) {
            let is_of_it = |entry: &Value| {
                let is = |field: &str, value: &str| entry.get(field).and_then(Value::as_str) == Some(value);
                is(STATUS, status) && is(INSERTED_AT, &at) && is(INSERTED_BY, &by)
            };
            entries = history.iter().position(is_of_it).map(|place| place + 1);
            history.truncate(entries.unwrap_or(history.len()));
        }
        if let Some(entries) = entries {
            before::restore(&mut record, document, entries);
        }
        record.insert(UPDATED_AT.to_owned(), at.into());
        record.insert(UPDATED_BY.to_owned(), by.into());
        caller.answer(self.status, record, document)
    }
}

/// What the history and the stamps of a new dispense were. A create can set others than its own time and user.
pub(crate) struct New {
    entries: usize,
    stamps: Map<String, Value>,
}

impl New {
    const STAMPS: [&str; 2] = [UPDATED_AT, UPDATED_BY];

    /// Encodes what is kept of a new dispense with its key.
    pub(crate) fn stored(document: &RawDocument) -> Document {
        before::excerpt(document, &Self::STAMPS)
    }

    fn read(stored: &RawDocument) -> Option<Self> {
        let (entries, stamps) = before::read(stored)?;
        Some(Self { entries, stamps })
    }

    /// The dispense as it was created.
    fn dispense(
        &self,
        caller: &Caller<'_>,
        status: DispenseStatus,
        document: &RawDocument,
    ) -> Result<Dispense, StoreError> {
        let mut record = bson_to_json::record(document);
        if let Some(Value::Array(history)) = record.get_mut(STATUS_HISTORY) {
            history.truncate(self.entries);
        }
        before::restore(&mut record, document, self.entries);
        record.retain(|field, _| !Self::STAMPS.contains(&field.as_str()));
        record.extend(self.stamps.clone());
        caller.answer(status, record, document)
    }
}

/// What is kept under an idempotency key.
pub(crate) struct Kept {
    pub(crate) request: Vec<u8>,
    pub(crate) effect: Effect,
    /// If the dispense was created under the key.
    new: Option<New>,
}

impl Kept {
    /// The first answer, rebuilt from the document as it is now.
    pub(crate) fn first_answer(
        &self,
        caller: &Caller<'_>,
        document: &RawDocument,
    ) -> Result<Dispense, StoreError> {
        match &self.new {
            Some(new) => new.dispense(caller, self.effect.status, document),
            None => self.effect.dispense(caller, document),
        }
    }
}

/// Encodes an idempotency key for the document of its change.
pub(crate) fn stored_key(effect: Effect, idempotency: &IdempotentRequest) -> Document {
    doc! {
        KEY: digest(idempotency.key()),
        KEY_REQUEST: digest(idempotency.request()),
        KEY_STATUS: effect.status.as_str(),
        KEY_AT: millis(effect.at),
        KEY_BY: binary(effect.by.uuid()),
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
    let new = entry.get_document(KEY_NEW).ok().and_then(New::read);
    Some(Kept { request: bytes(entry, KEY_REQUEST)?.to_vec(), effect, new })
}

fn bytes<'a>(entry: &'a RawDocument, field: &str) -> Option<&'a [u8]> {
    Some(entry.get_binary(field).ok()?.bytes)
}
