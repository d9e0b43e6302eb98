//! Changes of status.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use esoz_device_dispense::{Dispense, Pseudonym, Transition};
use esoz_kernel::Committed;
use esoz_kernel::time::rfc3339_millis;

use super::document::{history_entry, path, to_dispense};
use super::query;
use super::replay::{Kept, kept};
use crate::error::SqliteError;
use crate::prepared::Prepared;
use crate::schema::device_dispenses;
use crate::{idempotency, outbox};

diesel::define_sql_function! {
    /// Sets three texts in a JSON document and leaves the rest of its text as it is.
    #[sql_name = "json_set"]
    fn json_set_texts(
        document: Text,
        first_path: Text, first: Text,
        second_path: Text, second: Text,
        third_path: Text, third: Text,
    ) -> Text;
}
diesel::define_sql_function! {
    /// Sets a part of a JSON document. It must come right from another JSON function, else it is taken as a text.
    #[sql_name = "json_set"]
    fn json_set_part(document: Text, path: Text, part: Text) -> Text;
}
diesel::define_sql_function! {
    /// Inserts a value where none is.
    fn json_insert(document: Text, path: Text, value: Text) -> Text;
}
diesel::define_sql_function! {
    /// Parses a text as JSON.
    fn json(text: Text) -> Text;
}
diesel::define_sql_function! {
    /// The first of the two that is not NULL.
    #[sql_name = "coalesce"]
    fn or_else(value: Nullable<Text>, otherwise: Text) -> Text;
}
diesel::define_sql_function! {
    /// The value, or else the column itself: a condition on NULL is always met.
    #[sql_name = "coalesce"]
    fn or_itself(value: Nullable<Text>, column: Nullable<Text>) -> Nullable<Text>;
}

/// Applies a transition; called inside a transaction.
pub(super) fn commit(
    connection: &mut SqliteConnection,
    change: &Transition,
) -> Result<Committed<Dispense>, SqliteError> {
    let id = change.id.to_string();
    let key = (change.idempotency.as_ref(), change.at);
    match kept(connection, key, change.id, (change.owner, change.subject.as_ref()))? {
        Some(Kept { is_hidden: true, .. }) => return Ok(Committed::Stale),
        Some(Kept { replay, .. }) => return Ok(replay.into()),
        None => {}
    }
    if change.inserted_before.is_some() && !applies(connection, change)? {
        return Ok(Committed::Stale);
    }
    let Some(document) = compare_and_set(connection, change)? else {
        return Ok(Committed::Stale);
    };
    outbox::put(connection, &change.event)?;
    if let Some(request) = &change.idempotency {
        idempotency::keep(connection, request, change.at, &document)?;
    }
    // Decoded before the commit, so that an unreadable document rolls back.
    Ok(Committed::Applied(to_dispense(&id, &document)?.dispense?))
}

/// Whether the stored dispense meets the conditions, by the domain's rule: nobody else writes meanwhile.
fn applies(connection: &mut SqliteConnection, change: &Transition) -> Result<bool, SqliteError> {
    let Some(document) = query::document(connection, change.id)? else { return Ok(false) };
    Ok(change.applies_to(&to_dispense(&change.id.to_string(), &document)?.dispense?))
}

/// Updates the document if it meets the conditions of the transition; returns the document after it.
fn compare_and_set(connection: &mut SqliteConnection, change: &Transition) -> QueryResult<Option<String>> {
    let owner = change.owner.map(|owner| owner.to_string());
    let subject = change.subject.as_ref().map(Pseudonym::expose);
    let expected = device_dispenses::table
        .find(change.id.to_string())
        .filter(
            device_dispenses::status
                .eq_any(change.from.iter().flat_map(|status| status.spellings()).copied()),
        )
        .filter(device_dispenses::owner.eq(or_itself(owner, device_dispenses::owner)))
        .filter(device_dispenses::subject.eq(or_itself(subject, device_dispenses::subject)));
    let history = or_else(query::json_extract(device_dispenses::document, path::STATUS_HISTORY), "[]");
    let changed = json_set_texts(
        device_dispenses::document,
        path::STATUS,
        change.to.as_str(),
        path::UPDATED_AT,
        rfc3339_millis(change.at),
        path::UPDATED_BY,
        change.by.to_string(),
    );
    let lengthened =
        json_insert(history, path::END, json(history_entry(change.to, change.at, change.by, None)));
    let changed = json_set_part(changed, path::STATUS_HISTORY, lengthened);
    let update = diesel::update(expected)
        .set(device_dispenses::document.eq(changed))
        .returning(device_dispenses::document);
    Prepared(update).get_result(connection).optional()
}
