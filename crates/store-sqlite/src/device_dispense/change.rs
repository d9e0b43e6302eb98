//! Changes by a signed document.

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use esoz_device_dispense::{Basis, Change, ChangeRefusal, Dispense, DispenseFacts, DispenseUpdate};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{DeviceRequestId, DispenseId, StoreError, Written, parse_uuid};

use super::commit::{json, json_insert, json_set_part, json_set_texts, or_else};
use super::document::{history_entry, path, to_dispense};
use super::query;
use super::replay::{Kept, kept};
use crate::device_request::{self, RequestRow};
use crate::error::SqliteError;
use crate::prepared::Prepared;
use crate::rows::Location;
use crate::schema::device_dispenses;
use crate::{idempotency, outbox};

diesel::define_sql_function! {
    /// The type of a value of a JSON document; NULL when it is absent.
    fn json_type(document: Text, path: Text) -> Nullable<Text>;
}

/// A dispense and its request as they are stored.
#[derive(PartialEq)]
pub(super) struct DispenseAndRequest {
    document: String,
    request: Option<RequestRow>,
}

impl DispenseAndRequest {
    /// Looks up both; called inside a transaction.
    pub(super) fn find(connection: &mut SqliteConnection, id: DispenseId) -> QueryResult<Option<Self>> {
        let Some((document, based_on)) = query::with_based_on(connection, id)? else { return Ok(None) };
        let request = based_on.and_then(|id| parse_uuid(&id).ok()).map(DeviceRequestId::new);
        let request = request.map(|id| device_request::query::row(connection, id)).transpose()?;
        Ok(Some(Self { document, request: request.flatten() }))
    }

    /// Decodes them. Their version is both, as they are stored.
    pub(super) fn facts(self, id: DispenseId) -> Result<DispenseFacts, StoreError> {
        let stored = to_dispense(&id.to_string(), &self.document)?;
        let request = self.request.as_ref().map(RequestRow::facts);
        Ok(DispenseFacts { stored: Some(stored), request, basis: Basis::new(self) })
    }
}

/// Changes a dispense and its request; called inside a transaction.
pub(super) fn change(
    connection: &mut SqliteConnection,
    change: &Change,
) -> Result<Written<Dispense, ChangeRefusal>, SqliteError> {
    let Change { id, owner, subject, decided, decide, at, by, idempotency } = change;
    let whose = (Some(*owner), Some(subject));
    if let Some(Kept { replay, is_hidden: false }) =
        kept(connection, (idempotency.as_ref(), *at), *id, whose)?
    {
        return Ok(replay.into());
    }
    let found = DispenseAndRequest::find(connection, *id)?;
    let decided = match (decided, &found) {
        (Some((basis, update)), Some(found)) if basis.get() == Some(found) => Ok(update.clone()),
        _ => decide(found.map(|found| found.facts(*id)).transpose()?.unwrap_or_default())?,
    };
    let update = match decided {
        Ok(update) => update,
        Err(refusal) => return Ok(Written::Refused(refusal)),
    };
    let document = edit(connection, change, &update)?;
    outbox::put(connection, &update.event)?;
    if let Some(event) = &update.completed_request {
        device_request::query::complete(connection, DeviceRequestId::new(event.entity_id), update.at(), *by)?;
        outbox::put(connection, event)?;
    }
    if let Some(request) = idempotency {
        idempotency::keep(connection, request, *at, &document)?;
    }
    // Decoded before the commit, so that an unreadable document rolls back.
    Ok(Written::Applied(to_dispense(&id.to_string(), &document)?.dispense?))
}

/// A document that is being edited.
type Edited = Box<dyn BoxableExpression<device_dispenses::table, Sqlite, SqlType = Text>>;

/// Updates the document and returns it. SQLite edits the text, so that other fields keep theirs; in one statement, so that it parses the document once.
fn edit(
    connection: &mut SqliteConnection,
    change: &Change,
    update: &DispenseUpdate,
) -> Result<String, SqliteError> {
    let id = change.id.to_string();
    let reason = update.reason.as_ref().map(|reason| ("status_reason", reason));
    let set = update.set.iter().map(|(name, value)| (name.as_str(), value));
    let mut edited: Edited = Box::new(device_dispenses::document);
    for (name, value) in set.chain(reason) {
        edited = Box::new(json_set_part(edited, format!("$.\"{name}\""), json(value.to_string())));
    }
    let entry = history_entry(update.to, update.at(), change.by, update.reason.as_ref());
    let link = serde_json::Value::from(update.link.as_str()).to_string();
    for (list, item) in [(path::STATUS_HISTORY, entry), (path::SIGNED_CONTENT_LINKS, link)] {
        let items = or_else(query::json_extract(device_dispenses::document, list), "[]");
        edited = Box::new(json_set_part(edited, list, json_insert(items, path::END, json(item))));
    }
    let changed = json_set_texts(
        edited,
        path::STATUS,
        update.to.as_str(),
        path::UPDATED_AT,
        rfc3339_millis(update.at()),
        path::UPDATED_BY,
        change.by.to_string(),
    );
    let links = json_type(device_dispenses::document, path::SIGNED_CONTENT_LINKS);
    let row = device_dispenses::table.find(&id).filter(or_else(links, "null").eq_any(["null", "array"]));
    let update =
        diesel::update(row).set(device_dispenses::document.eq(changed)).returning(device_dispenses::document);
    // It was read in this transaction, so only its links can be in the way.
    let no_list = || Location { table: "device_dispenses", id: &id }.corrupt("signed_content_links");
    Ok(Prepared(update).get_result(connection).optional()?.ok_or_else(no_list)?)
}
