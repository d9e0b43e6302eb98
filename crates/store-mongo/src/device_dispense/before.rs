//! What a change by a signed document has overwritten: kept beside idempotency keys, so that the first answer of an earlier change can be rebuilt.

use bson::{Bson, Document, RawBsonRef, RawDocument, doc};
use serde_json::{Map, Value};

use super::bson_to_json;
use crate::fields::{BEFORE, BEFORE_ENTRIES, BEFORE_FIELDS, BEFORE_RECORD, KEYS, STATUS_HISTORY};

/// What is kept when these fields are set; `None` when no earlier change has a key under which somebody may ask for its answer.
pub(crate) fn kept(document: &RawDocument, fields: &[&str]) -> Option<Document> {
    document.get_array(KEYS).ok()?.into_iter().next()?.ok()?;
    Some(excerpt(document, fields))
}

/// These fields of a document, and the length of its history.
pub(super) fn excerpt(document: &RawDocument, fields: &[&str]) -> Document {
    let entries = document.get_array(STATUS_HISTORY).map_or(0, |history| history.into_iter().count());
    let mut record = Document::new();
    for field in fields {
        // Text that is not UTF-8 is left out: an answer must not depend on it.
        let value = document.get(*field).ok().flatten().and_then(|value| Bson::try_from(value).ok());
        record.extend(value.map(|value| ((*field).to_owned(), value)));
    }
    let entries = i64::try_from(entries).unwrap_or(i64::MAX);
    doc! { BEFORE_ENTRIES: entries, BEFORE_FIELDS: fields.to_vec(), BEFORE_RECORD: record }
}

/// Decodes the length of the history, and the fields.
pub(super) fn read(excerpt: &RawDocument) -> Option<(usize, Map<String, Value>)> {
    let entries = usize::try_from(excerpt.get_i64(BEFORE_ENTRIES).ok()?).ok()?;
    Some((entries, bson_to_json::record(excerpt.get_document(BEFORE_RECORD).ok()?)))
}

/// Takes out of a record what changes have set that came after so many entries of the history.
pub(super) fn restore(record: &mut Map<String, Value>, document: &RawDocument, entries: usize) {
    let changes = document.get_array(BEFORE).into_iter().flatten();
    let changes: Vec<&RawDocument> =
        changes.filter_map(|change| change.ok().and_then(RawBsonRef::as_document)).collect();
    for change in changes.into_iter().rev() {
        let Some((_, fields)) = read(change).filter(|(before, _)| *before >= entries) else { continue };
        for field in change.get_array(BEFORE_FIELDS).into_iter().flatten() {
            if let Some(field) = field.ok().and_then(RawBsonRef::as_str) {
                record.remove(field);
            }
        }
        record.extend(fields);
    }
}
