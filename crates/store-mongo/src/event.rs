//! Maps events to the outbox of their document and back.

use bson::{Document, RawBsonRef, RawDocument, doc};
use esoz_events::StatusChangeEvent;
use esoz_kernel::{EventId, RequestId, StoreError, TraceContext, UserId, Uuid};

use crate::{
    fields::{
        EVENT_CHANGED_BY, EVENT_ENTITY_TYPE, EVENT_ID, EVENT_NEW_STATUS, EVENT_REQUEST_ID, EVENT_TIME,
        EVENT_TRACEPARENT, EVENTS, OUTBOX, OUTBOX_EVENTS,
    },
    values::{binary, millis, text, time, uuid},
};

/// Encodes an event for the outbox.
pub(crate) fn stored(event: &StatusChangeEvent) -> Document {
    let mut stored = doc! {
        EVENT_ID: binary(event.id.uuid()),
        EVENT_ENTITY_TYPE: event.entity_type.as_str(),
        EVENT_NEW_STATUS: &event.new_status,
        EVENT_TIME: millis(event.event_time),
        EVENT_CHANGED_BY: binary(event.changed_by.uuid()),
        EVENT_REQUEST_ID: event.request_id.as_str(),
    };
    if let Some(trace) = event.trace {
        stored.insert(EVENT_TRACEPARENT, trace.to_string());
    }
    stored
}

/// Decodes the waiting events of a document, in the order of their commits; an unreadable one is an error of its own.
pub(crate) fn events<'a>(
    collection: &'static str,
    entity_id: Uuid,
    document: &'a RawDocument,
) -> Result<impl Iterator<Item = Result<StatusChangeEvent, StoreError>> + use<'a>, StoreError> {
    let corrupt = move || StoreError::corrupt(collection, entity_id, OUTBOX_EVENTS);
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
        // An invalid trace context is dropped: it must not hold the event up.
        trace: text(stored, EVENT_TRACEPARENT).and_then(TraceContext::parse),
    })
}
