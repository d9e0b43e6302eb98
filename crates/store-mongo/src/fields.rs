//! The names of stored fields, collections and indexes that queries name.

use bson::{Document, doc};
use esoz_kernel::EventId;

use crate::values::binary;

/// The collection of device dispenses.
pub const COLLECTION: &str = "device_dispenses";

/// The collection of device requests.
pub const REQUESTS: &str = "device_requests";

/// The field of a dispense, or of a request, that holds its waiting events. Absent when none waits.
pub const OUTBOX: &str = "esoz_outbox";

/// The field of a dispense that holds the idempotency keys of its transitions. Absent, or rarely empty, when none is kept.
pub const KEYS: &str = "esoz_keys";

/// The field of a dispense that holds the event ids of its recent transitions, which tell whether a transition was applied. At most
/// `CHANGES_MAX`, the newest last. Absent in documents that only older versions have changed.
pub const CHANGES: &str = "esoz_changes";

/// The length of that list: far more than the transitions that can commit before the read that looks for an id.
const CHANGES_MAX: i32 = 8;

/// What an update pushes to [`CHANGES`].
pub(crate) fn pushed_change(event: EventId) -> Document {
    doc! { "$each": [binary(event.uuid())], "$slice": -CHANGES_MAX }
}

/// The field of a dispense that holds what a change by a signed document has overwritten, for the first answers of earlier changes. Absent when
/// no idempotency key was kept then.
pub const BEFORE: &str = "esoz_before";

/// The field of a request that holds the times of the wrong codes that were given for it. Absent when none was.
pub const WRONG_CODES: &str = "esoz_wrong_codes";

pub(crate) const ID: &str = "_id";
pub(crate) const STATUS: &str = "status";
pub(crate) const STATUS_HISTORY: &str = "status_history";
pub(crate) const SUBJECT: &str = "subject";
pub(crate) const PERFORMER_LEGAL_ENTITY: &str = "performer_legal_entity";
pub(crate) const WHEN_HANDED_OVER: &str = "when_handed_over";
pub(crate) const INSERTED_AT: &str = "inserted_at";
pub(crate) const INSERTED_BY: &str = "inserted_by";
pub(crate) const UPDATED_AT: &str = "updated_at";
pub(crate) const UPDATED_BY: &str = "updated_by";

pub(crate) const STATUS_REASON: &str = "status_reason";
pub(crate) const SIGNED_CONTENT_LINKS: &str = "signed_content_links";
pub(crate) const BASED_ON: &str = "based_on";

/// The fields of a request.
pub(crate) const INTENT: &str = "intent";
pub(crate) const PROGRAM: &str = "program";
/// The classification type of the device asked for; or, instead of it, its definition.
pub(crate) const CODE: &str = "code";
pub(crate) const CODE_REFERENCE: &str = "code_reference";
pub(crate) const QUANTITY: &str = "quantity";
pub(crate) const QUANTITY_VALUE: &str = "quantity.value";
pub(crate) const QUANTITY_CODE: &str = "quantity.code";
pub(crate) const OCCURRENCE_PERIOD: &str = "occurrence_period";
pub(crate) const PERIOD_START: &str = "start";
pub(crate) const PERIOD_END: &str = "end";
pub(crate) const DISPENSE_VALID_TO: &str = "dispense_valid_to";
pub(crate) const VERIFICATION_CODE: &str = "verification_code";

/// Inside a reference: `identifier.value`.
pub(crate) const IDENTIFIER: &str = "identifier";
pub(crate) const VALUE: &str = "value";

/// The legal entity that a dispense belongs to.
pub(crate) const OWNER: &str = "performer_legal_entity.identifier.value";
/// The objects that it is in.
pub(crate) const OWNER_PARENTS: [&str; 2] = [PERFORMER_LEGAL_ENTITY, "performer_legal_entity.identifier"];

/// The request that a dispense is based on.
pub(crate) const REQUEST: &str = "based_on.identifier.value";
/// The objects that it is in.
pub(crate) const REQUEST_PARENTS: [&str; 2] = [BASED_ON, "based_on.identifier"];

/// The indexes of lists: by owner, by owner and status, by subject and owner; each in the order of lists.
pub(crate) const BY_OWNER: &str = "esoz_owner_inserted_at";
pub(crate) const BY_STATUS: &str = "esoz_owner_status_inserted_at";
pub(crate) const BY_SUBJECT: &str = "esoz_subject_owner_inserted_at";
/// The index of the dispenses in progress.
pub(crate) const IN_PROGRESS: &str = "esoz_in_progress";
/// The index of the dispenses in progress by their requests.
pub(crate) const BY_REQUEST: &str = "esoz_based_on_in_progress";

/// Inside the outbox: the time of the oldest waiting event, and the events.
pub(crate) const SINCE: &str = "since";
pub(crate) const EVENTS: &str = "events";
pub(crate) const OUTBOX_SINCE: &str = "esoz_outbox.since";
pub(crate) const OUTBOX_EVENTS: &str = "esoz_outbox.events";
pub(crate) const OUTBOX_EVENT_ID: &str = "esoz_outbox.events.id";
pub(crate) const OUTBOX_EVENT_TIME: &str = "esoz_outbox.events.event_time";
pub(crate) const OUTBOX_EVENT_ENTITY_TYPE: &str = "esoz_outbox.events.entity_type";

/// Inside the outbox when its first event was set aside, and then `since` is not there: what names the event, since when, and why.
pub(crate) const SET_ASIDE: &str = "set_aside";
pub(crate) const SET_ASIDE_ID: &str = "id";
pub(crate) const SET_ASIDE_AT: &str = "at";
pub(crate) const SET_ASIDE_REASON: &str = "reason";
pub(crate) const OUTBOX_SET_ASIDE: &str = "esoz_outbox.set_aside";
pub(crate) const OUTBOX_SET_ASIDE_ID: &str = "esoz_outbox.set_aside.id";
pub(crate) const OUTBOX_SET_ASIDE_AT: &str = "esoz_outbox.set_aside.at";

/// The collection with the one document of the relays' claims.
pub(crate) const CLAIMS: &str = "esoz_claims";

/// The collection of what is true of the whole database, one document each.
pub(crate) const SETTINGS: &str = "esoz_settings";

/// The document that tells with which scheme and key pseudonyms are made (ADR 0038), in the field [`VALUE`].
pub(crate) const PSEUDONYM_FINGERPRINT: &str = "pseudonym_fingerprint";

/// Inside the document of claims: how often something was claimed; the claims that hold; for each of them who delivers whose events until when.
pub(crate) const VERSION: &str = "version";
pub(crate) const HELD: &str = "held";
pub(crate) const CLAIM_BY: &str = "by";
pub(crate) const CLAIM_UNTIL: &str = "until";
pub(crate) const CLAIM_ENTITIES: &str = "entities";
/// The entities of every claim, for an update.
pub(crate) const HELD_ENTITIES: &str = "held.$[].entities";

/// Inside an event. The entity is the document itself.
pub(crate) const EVENT_ID: &str = "id";
pub(crate) const EVENT_ENTITY_TYPE: &str = "entity_type";
pub(crate) const EVENT_NEW_STATUS: &str = "new_status";
pub(crate) const EVENT_TIME: &str = "event_time";
pub(crate) const EVENT_CHANGED_BY: &str = "changed_by";
pub(crate) const EVENT_REQUEST_ID: &str = "request_id";
/// Not there in events that were not traced, and in those of versions that knew no traces.
pub(crate) const EVENT_TRACEPARENT: &str = "traceparent";

/// Inside a kept key: its digest, that of the request, and the change that was made.
pub(crate) const KEY: &str = "key";
pub(crate) const KEY_REQUEST: &str = "request";
pub(crate) const KEY_STATUS: &str = "status";
pub(crate) const KEY_AT: &str = "at";
pub(crate) const KEY_BY: &str = "by";
/// Of a create: the history and the stamps of the new dispense.
pub(crate) const KEY_NEW: &str = "new";
pub(crate) const KEYS_KEY: &str = "esoz_keys.key";
pub(crate) const KEYS_AT: &str = "esoz_keys.at";

/// Inside what was overwritten: the length of the history before, the names of the fields, and those that were there.
pub(crate) const BEFORE_ENTRIES: &str = "entries";
pub(crate) const BEFORE_FIELDS: &str = "fields";
pub(crate) const BEFORE_RECORD: &str = "record";

/// How a pipeline names a field.
pub(crate) fn path(field: &str) -> String {
    format!("${field}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_starts_with_its_parts() {
        assert_eq!(OWNER, format!("{PERFORMER_LEGAL_ENTITY}.{IDENTIFIER}.{VALUE}"));
        assert_eq!(REQUEST, format!("{BASED_ON}.{IDENTIFIER}.{VALUE}"));
        assert_eq!(QUANTITY_VALUE, format!("{QUANTITY}.{VALUE}"));
        assert_eq!(QUANTITY_CODE, format!("{QUANTITY}.{CODE}"));
        assert_eq!(OUTBOX_SINCE, format!("{OUTBOX}.{SINCE}"));
        assert_eq!(OUTBOX_EVENTS, format!("{OUTBOX}.{EVENTS}"));
        assert_eq!(OUTBOX_EVENT_ID, format!("{OUTBOX_EVENTS}.{EVENT_ID}"));
        assert_eq!(OUTBOX_EVENT_TIME, format!("{OUTBOX_EVENTS}.{EVENT_TIME}"));
        assert_eq!(OUTBOX_EVENT_ENTITY_TYPE, format!("{OUTBOX_EVENTS}.{EVENT_ENTITY_TYPE}"));
        assert_eq!(OUTBOX_SET_ASIDE, format!("{OUTBOX}.{SET_ASIDE}"));
        assert_eq!(OUTBOX_SET_ASIDE_ID, format!("{OUTBOX_SET_ASIDE}.{SET_ASIDE_ID}"));
        assert_eq!(OUTBOX_SET_ASIDE_AT, format!("{OUTBOX_SET_ASIDE}.{SET_ASIDE_AT}"));
        assert_eq!(KEYS_KEY, format!("{KEYS}.{KEY}"));
        assert_eq!(KEYS_AT, format!("{KEYS}.{KEY_AT}"));
        assert_eq!(HELD_ENTITIES, format!("{HELD}.$[].{CLAIM_ENTITIES}"));
    }
}
