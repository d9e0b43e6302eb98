//! What is compared of a document to learn whether it has changed since it was read.

use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf, doc};
use esoz_kernel::StoreError;

use crate::{
    fields::{
        CHANGES, CODE, CODE_REFERENCE, COLLECTION, DISPENSE_VALID_TO, ID, INTENT, OCCURRENCE_PERIOD, OWNER,
        PROGRAM, QUANTITY, REQUEST, REQUESTS, STATUS, SUBJECT, UPDATED_AT, VERIFICATION_CODE, WRONG_CODES,
    },
    values::uuid,
};

/// The fields of a kind of document that are compared.
pub(super) struct Compared {
    collection: &'static str,
    paths: &'static [&'static str],
}

impl Compared {
    /// Every field that a rule reads, and those that tell of each change that ESOZ makes.
    pub(super) const REQUEST: Self = Self {
        collection: REQUESTS,
        paths: &[
            ID,
            SUBJECT,
            STATUS,
            INTENT,
            PROGRAM,
            CODE,
            CODE_REFERENCE,
            QUANTITY,
            OCCURRENCE_PERIOD,
            DISPENSE_VALID_TO,
            VERIFICATION_CODE,
            UPDATED_AT,
            CHANGES,
            WRONG_CODES,
        ],
    };

    /// Whose it is, its status, and what tells of each change. Another system that changes anything else sets `updated_at`.
    pub(super) const DISPENSE: Self =
        Self { collection: COLLECTION, paths: &[ID, STATUS, SUBJECT, OWNER, REQUEST, UPDATED_AT, CHANGES] };

    /// The conditions that a document meets as long as these fields are what they are in the one that was read.
    ///
    /// # Errors
    /// Of kind corrupt, when one of them holds text that is not UTF-8.
    pub(super) fn conditions(&self, read: &RawDocument) -> Result<Document, StoreError> {
        let conditions = self.paths.iter().filter_map(|path| {
            let condition = match value_at(read, path) {
                At::Value(value) => condition(path, value).map_err(|_| self.corrupt(read, path)),
                At::Absent => Ok(doc! { "$exists": false }.into()),
                // Nothing that could be told apart by its path.
                At::InNoObject => return None,
            };
            Some(condition.map(|condition| ((*path).to_owned(), condition)))
        });
        conditions.collect()
    }

    /// These fields alone, for a [`Basis`](esoz_device_dispense::Basis).
    ///
    /// # Errors
    /// As [`conditions`](Self::conditions).
    pub(super) fn of(&self, read: &RawDocument) -> Result<RawDocumentBuf, StoreError> {
        let mut compared = Document::new();
        for path in self.paths {
            if let At::Value(value) = value_at(read, path) {
                compared.insert(*path, Bson::try_from(value).map_err(|_| self.corrupt(read, path))?);
            }
        }
        RawDocumentBuf::try_from(&compared).map_err(|_| self.corrupt(read, ID))
    }

    fn corrupt(&self, read: &RawDocument, path: &str) -> StoreError {
        let id = uuid(read, ID).map_or_else(|| "(no UUID)".to_owned(), |id| id.to_string());
        StoreError::corrupt(self.collection, id, path)
    }
}

/// What is at a path.
pub(super) enum At<'a> {
    Value(RawBsonRef<'a>),
    Absent,
    InNoObject,
}

pub(super) fn value_at<'a>(document: &'a RawDocument, path: &str) -> At<'a> {
    let (mut document, mut path) = (document, path);
    while let Some((parent, rest)) = path.split_once('.') {
        match document.get(parent) {
            Ok(Some(RawBsonRef::Document(inner))) => (document, path) = (inner, rest),
            Ok(None) => return At::Absent,
            _ => return At::InNoObject,
        }
    }
    match document.get(path) {
        Ok(Some(value)) => At::Value(value),
        Ok(None) => At::Absent,
        // It has text that is not UTF-8.
        Err(_) => At::InNoObject,
    }
}

/// The condition that a field holds exactly this. One by value alone would be met by an array that contains it, or by a field that is not there.
fn condition(path: &str, value: RawBsonRef<'_>) -> bson::error::Result<Bson> {
    Ok(match value {
        _ if path == ID => value.try_into()?,
        RawBsonRef::Null => doc! { "$type": "null" }.into(),
        RawBsonRef::Undefined => doc! { "$type": "undefined" }.into(),
        RawBsonRef::Array(_) => doc! { "$eq": Bson::try_from(value)?, "$type": "array" }.into(),
        value => doc! { "$eq": Bson::try_from(value)?, "$not": { "$type": "array" } }.into(),
    })
}

#[cfg(test)]
mod tests {
    use bson::bson;
    use esoz_kernel::Uuid;

    use super::*;
    use crate::values::binary;

    fn raw(document: &Document) -> RawDocumentBuf {
        RawDocumentBuf::try_from(document).unwrap()
    }

    #[test]
    fn every_kind_of_value_has_its_condition() {
        let id = binary(Uuid::from_u128(1));
        let read = doc! {
            ID: id.clone(), STATUS: "active", SUBJECT: Bson::Null, UPDATED_AT: Bson::Undefined, CHANGES: [1],
            "performer_legal_entity": { "identifier": { "value": "x" } }, "based_on": [{}],
        };
        let expected = doc! {
            ID: id,
            STATUS: { "$eq": "active", "$not": { "$type": "array" } },
            SUBJECT: { "$type": "null" },
            OWNER: { "$eq": "x", "$not": { "$type": "array" } },
            UPDATED_AT: { "$type": "undefined" },
            CHANGES: { "$eq": [1], "$type": "array" },
        };
        assert_eq!(Compared::DISPENSE.conditions(&raw(&read)).unwrap(), expected);
        let absent = Compared::DISPENSE.conditions(&raw(&doc! {})).unwrap();
        assert!(absent.iter().all(|(_, condition)| *condition == bson!({ "$exists": false })), "{absent}");
    }

    #[test]
    fn what_is_compared_is_kept_alone_and_compares_the_same() {
        let read =
            doc! { ID: binary(Uuid::from_u128(1)), "other": 1, STATUS: "active", QUANTITY: { "value": 2 } };
        let kept = Compared::REQUEST.of(&raw(&read)).unwrap();
        assert!(kept.get("other").unwrap().is_none());
        let [now, then] = [&kept, &raw(&read)].map(|read| Compared::REQUEST.conditions(read).unwrap());
        assert_eq!(now, then);
    }
}
