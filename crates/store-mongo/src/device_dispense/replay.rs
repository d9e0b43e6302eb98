//! A dispense as one change of status left it, made from the document as it is now.

use bson::RawDocument;
use esoz_device_dispense::{Dispense, DispenseStatus, Transition};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{StoreError, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::{
    bson_to_json, decode,
    fields::{INSERTED_AT, INSERTED_BY, STATUS, STATUS_HISTORY, UPDATED_AT, UPDATED_BY},
};

/// A change of status that was made: what of it is in the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    pub(crate) status: DispenseStatus,
    pub(crate) at: Timestamp,
    pub(crate) by: UserId,
}

impl Effect {
    /// What this change leaves when it is made.
    pub(crate) fn by(change: &Transition) -> Self {
        Self { status: change.to, at: change.at, by: change.by }
    }

    /// Whether the history tells of it. Another change to the same status, by the same user in the same millisecond, looks the same.
    pub(crate) fn is_told_of(self, document: &RawDocument) -> bool {
        self.place(&bson_to_json::record(document)).is_some()
    }

    /// The dispense as it was right after, as far as changes of status go: what other systems have written into other fields since shows.
    pub(crate) fn dispense(
        self,
        transition: &Transition,
        document: &RawDocument,
    ) -> Result<Dispense, StoreError> {
        let record = self.as_it_was(bson_to_json::record(document));
        decode::committed(transition, self.status, document, record)
    }

    fn as_it_was(self, mut record: Map<String, Value>) -> Map<String, Value> {
        let place = self.place(&record);
        if let Some(Value::Array(history)) = record.get_mut(STATUS_HISTORY)
            && let Some(place) = place
        {
            history.truncate(place + 1);
        }
        record.insert(STATUS.to_owned(), self.status.as_str().into());
        record.insert(UPDATED_AT.to_owned(), rfc3339_millis(self.at).into());
        record.insert(UPDATED_BY.to_owned(), self.by.to_string().into());
        record
    }

    /// Where the history of a record tells of it.
    fn place(self, record: &Map<String, Value>) -> Option<usize> {
        let (status, at, by) = (self.status.as_str(), rfc3339_millis(self.at), self.by.to_string());
        let entry = |entry: &Value| {
            let is = |field: &str, value: &str| entry.get(field).and_then(Value::as_str) == Some(value);
            is(STATUS, status) && is(INSERTED_AT, &at) && is(INSERTED_BY, &by)
        };
        record.get(STATUS_HISTORY)?.as_array()?.iter().position(entry)
    }
}
