//! Stored documents as the domain knows them. Strict for what a rule reads, and for nothing else.

use bson::{RawBsonRef, RawDocument, spec::BinarySubtype};
use esoz_device_dispense::{Dispense, DispenseStatus, Pseudonym, StoredDispense, Transition};
use esoz_events::StatusChangeEvent;
use esoz_kernel::{
    DispenseId, EventId, LegalEntityId, RequestId, StoreError, Timestamp, TraceContext, UserId, Uuid,
};
use serde_json::{Map, Value};

use crate::{
    bson_to_json,
    fields::{
        CHANGES, COLLECTION, EVENT_CHANGED_BY, EVENT_ENTITY_TYPE, EVENT_ID, EVENT_NEW_STATUS,
        EVENT_REQUEST_ID, EVENT_TIME, EVENT_TRACEPARENT, EVENTS, IDENTIFIER, KEYS, OUTBOX, OUTBOX_EVENTS,
        OWNER, PERFORMER_LEGAL_ENTITY, STATUS, STATUS_HISTORY, SUBJECT, VALUE,
    },
};

/// A stored dispense.
pub(crate) fn dispense(id: DispenseId, document: &RawDocument) -> Result<StoredDispense, StoreError> {
    let corrupt = |field| StoreError::corrupt(COLLECTION, id, field);
    let status = text(document, STATUS).and_then(|word| word.parse::<DispenseStatus>().ok());
    let subject = text(document, SUBJECT).map(Pseudonym::new);
    Ok(StoredDispense::new(
        id,
        status.ok_or_else(|| corrupt(STATUS)),
        subject.ok_or_else(|| corrupt(SUBJECT))?,
        owner(document).ok_or_else(|| corrupt(OWNER))?,
        bson_to_json::record(document),
    ))
}

/// The dispense that a committed transition gave that status. What its conditions name is known; that the rest can be read was a condition.
pub(crate) fn committed(
    transition: &Transition,
    status: DispenseStatus,
    document: &RawDocument,
    record: Map<String, Value>,
) -> Result<Dispense, StoreError> {
    let id = transition.id;
    let corrupt = |field| StoreError::corrupt(COLLECTION, id, field);
    let subject = transition.subject.clone().or_else(|| text(document, SUBJECT).map(Pseudonym::new));
    let owner = transition.owner.or_else(|| owner(document));
    Ok(Dispense::from_stored(
        id,
        status,
        subject.ok_or_else(|| corrupt(SUBJECT))?,
        owner.ok_or_else(|| corrupt(OWNER))?,
        record,
    ))
}

/// Whether it is a dispense of that legal entity about that patient; `None`: whichever.
pub(crate) fn is_of(
    document: &RawDocument,
    legal_entity: Option<LegalEntityId>,
    subject: Option<&Pseudonym>,
) -> bool {
    legal_entity.is_none_or(|legal_entity| owner(document) == Some(legal_entity))
        && subject.is_none_or(|subject| text(document, SUBJECT) == Some(subject.expose()))
}

/// Whether the transition with this event is among the most recent ones of the document.
pub(crate) fn has_change(document: &RawDocument, event: EventId) -> bool {
    let changes = document.get_array(CHANGES).into_iter().flatten();
    changes.flatten().any(|change| binary_uuid(change) == Some(event.uuid()))
}

/// The field, if there is one, that no transition can be written to: it is of another type.
pub(crate) fn unwritable_field(document: &RawDocument) -> Option<&'static str> {
    let is_array = |document: &RawDocument, field: &str| match document.get(field) {
        Ok(None) => true,
        found => found.is_ok_and(|found| found.and_then(RawBsonRef::as_array).is_some()),
    };
    if !is_array(document, STATUS_HISTORY)
        && !matches!(document.get(STATUS_HISTORY), Ok(Some(RawBsonRef::Null)))
    {
        return Some(STATUS_HISTORY);
    }
    match document.get(OUTBOX) {
        Ok(Some(RawBsonRef::Document(outbox))) if !is_array(outbox, EVENTS) => return Some(OUTBOX_EVENTS),
        Ok(Some(RawBsonRef::Document(_)) | None) => {}
        _ => return Some(OUTBOX),
    }
    [CHANGES, KEYS].into_iter().find(|field| !is_array(document, field))
}

/// The spellings that a UUID may be stored in as text; the rest are not ESOZ's, and no filter would find them.
pub(crate) fn spellings(uuid: Uuid) -> [String; 2] {
    let lower = uuid.to_string();
    let upper = lower.to_uppercase();
    [lower, upper]
}

fn owner(document: &RawDocument) -> Option<LegalEntityId> {
    let reference = document.get_document(PERFORMER_LEGAL_ENTITY).ok()?;
    let value = reference.get_document(IDENTIFIER).ok()?.get(VALUE).ok()??;
    let uuid = match value {
        RawBsonRef::String(text) => {
            bson_to_json::uuid(text).filter(|uuid| spellings(*uuid).iter().any(|spelling| spelling == text))
        }
        other => binary_uuid(other),
    };
    uuid.map(LegalEntityId::new)
}

/// The waiting events of a document, in the order of their commits; each is read by itself, so that one keeps no other from being read.
pub(crate) fn events(
    entity_id: Uuid,
    document: &RawDocument,
) -> Result<impl Iterator<Item = Result<StatusChangeEvent, StoreError>> + '_, StoreError> {
    let corrupt = move || StoreError::corrupt(COLLECTION, entity_id, OUTBOX_EVENTS);
    let outbox = document.get_document(OUTBOX).map_err(|_| corrupt())?;
    let waiting = outbox.get_array(EVENTS).map_err(|_| corrupt())?;
    let read = move |stored: bson::error::Result<_>| stored.ok().and_then(|stored| event(entity_id, stored));
    Ok(waiting.into_iter().map(move |stored| read(stored).ok_or_else(corrupt)))
}

fn event(entity_id: Uuid, stored: RawBsonRef<'_>) -> Option<StatusChangeEvent> {
    let stored = stored.as_document()?;
    Some(StatusChangeEvent {
        id: EventId::new(uuid(stored, EVENT_ID)?),
        entity_type: text(stored, EVENT_ENTITY_TYPE)?.parse().ok()?,
        entity_id,
        new_status: text(stored, EVENT_NEW_STATUS)?.to_owned(),
        event_time: time(stored, EVENT_TIME)?,
        changed_by: UserId::new(uuid(stored, EVENT_CHANGED_BY)?),
        request_id: RequestId::parse(text(stored, EVENT_REQUEST_ID)?)?,
        // What only traces need holds no event up.
        trace: text(stored, EVENT_TRACEPARENT).and_then(TraceContext::parse),
    })
}

fn text<'a>(document: &'a RawDocument, field: &str) -> Option<&'a str> {
    document.get_str(field).ok()
}

/// A UUID that this store itself wrote.
pub(crate) fn uuid(document: &RawDocument, field: &str) -> Option<Uuid> {
    binary_uuid(document.get(field).ok()??)
}

/// A time that this store itself wrote.
pub(crate) fn time(document: &RawDocument, field: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(document.get_datetime(field).ok()?.timestamp_millis()).ok()
}

fn binary_uuid(value: RawBsonRef<'_>) -> Option<Uuid> {
    let binary = value.as_binary().filter(|binary| binary.subtype == BinarySubtype::Uuid)?;
    Uuid::from_slice(binary.bytes).ok()
}
