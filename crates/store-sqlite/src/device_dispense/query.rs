//! Reads of dispenses.

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use esoz_device_dispense::{
    DispenseStatus, Filter, Overdue, OverdueFilter, Pseudonym, Search, SearchParameter, concerns as is_of,
};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{DeviceRequestId, DispenseId, LegalEntityId, Page, PageRequest, Timestamp, is_full_page};
use serde_json::Value;

use super::json;
use crate::read_limit::is_in_time;
use crate::schema::device_dispenses;

diesel::define_sql_function! {
    /// Whether a document has a value: the name of a search parameter, and the value as text. Registered by [`register_functions`].
    fn has_search_value(document: Text, parameter: Text, value: Text) -> Bool;
}
diesel::define_sql_function! {
    /// A value of a JSON document as text, a list as JSON; NULL when it is absent or null.
    fn json_extract(document: Text, path: Text) -> Nullable<Text>;
}

/// Registers the functions that queries call on a connection: their rules are the domain's.
pub(crate) fn register_functions(connection: &mut SqliteConnection) -> QueryResult<()> {
    has_search_value_utils::register_impl(connection, |document: String, parameter: String, value: String| {
        let parameter = SearchParameter::find(&parameter);
        let search =
            parameter.and_then(|parameter| Some(Search { parameter, value: parameter.parse(&value)? }));
        let record = json::read(&document);
        search
            .zip(record.as_ref().and_then(Value::as_object))
            .is_some_and(|(search, record)| search.matches(record))
    })
}

/// Looks up a stored document.
pub(super) fn document(connection: &mut SqliteConnection, id: DispenseId) -> QueryResult<Option<String>> {
    let dispense = device_dispenses::table.find(id.to_string());
    dispense.select(device_dispenses::document).get_result(connection).optional()
}

type Matching<'a> = device_dispenses::BoxedQuery<'a, Sqlite>;

/// The dispenses that meet a filter.
fn matching(filter: &Filter) -> Matching<'_> {
    let mut matching = device_dispenses::table.into_boxed();
    if let Some(owner) = filter.owner {
        matching = matching.filter(device_dispenses::owner.eq(owner.to_string()));
    }
    if let Some(subject) = &filter.subject {
        matching = matching.filter(device_dispenses::subject.eq(subject.expose()));
    }
    if let Some(status) = filter.status {
        matching = matching.filter(device_dispenses::status.eq_any(status.spellings()));
    }
    if let Some(bounds) = filter.inserted_at.bounds() {
        let [from, to] = bounds.map(rfc3339_millis);
        matching = matching.filter(device_dispenses::inserted_at.between(from, to));
    }
    if let Some(bounds) = filter.when_handed_over.bounds() {
        let [from, to] = bounds.map(rfc3339_millis);
        let when_handed_over = json_extract(device_dispenses::document, "$.when_handed_over");
        matching = matching.filter(when_handed_over.between(from, to));
    }
    // These conditions look into every document that the index finds.
    if filter.when_handed_over.bounds().is_some() || !filter.search.is_empty() {
        matching = matching.filter(is_in_time());
    }
    for Search { parameter, value } in &filter.search {
        let has_value = has_search_value(device_dispenses::document, parameter.name, value.to_string());
        matching = matching.filter(has_value);
    }
    matching
}

/// A page of those in the order of a list.
fn page_of(filter: &Filter, page: PageRequest) -> Matching<'_> {
    matching(filter)
        .order((device_dispenses::inserted_at, device_dispenses::id))
        .limit(page.size().into())
        .offset(i64::try_from(page.offset()).unwrap_or(i64::MAX))
}

/// Lists a page of the ids and documents that meet a filter. They are counted only when the page does not tell how many there are
/// (docs/adr/0025).
pub(super) fn list(
    connection: &mut SqliteConnection,
    filter: &Filter,
    page: PageRequest,
) -> QueryResult<Page<(String, String)>> {
    // One snapshot for both.
    connection.transaction(|connection| {
        let columns = (device_dispenses::id, device_dispenses::document);
        let items: Vec<(String, String)> = page_of(filter, page).select(columns).load(connection)?;
        let total_entries = match page.total_if_last(items.len()) {
            Some(total) => total,
            None => matching(filter).count().get_result::<i64>(connection)?.unsigned_abs(),
        };
        Ok(Page { items, total_entries })
    })
}

/// The size of documents in bytes after which a page of a scan ends.
const MAX_SCAN_BYTES: usize = 8 << 20;

/// Reads a page of ids and documents by the primary key, and whether another may follow.
pub(super) fn scan(
    connection: &mut SqliteConnection,
    after: &str,
    limit: u32,
) -> QueryResult<(Vec<(String, String)>, bool)> {
    let later = device_dispenses::table.filter(device_dispenses::id.gt(after)).order(device_dispenses::id);
    let later = later.limit(limit.into()).select((device_dispenses::id, device_dispenses::document));
    let (mut rows, mut bytes) = (Vec::new(), 0_usize);
    for row in later.load_iter::<(String, String), DefaultLoadingMode>(connection)? {
        let row = row?;
        bytes = bytes.saturating_add(row.1.len());
        rows.push(row);
        if bytes >= MAX_SCAN_BYTES {
            return Ok((rows, true));
        }
    }
    let is_full = is_full_page(rows.len(), limit);
    Ok((rows, is_full))
}

/// Lists overdue dispenses. What cannot be read as a position is passed over, without ending the list.
pub(super) fn overdue(
    connection: &mut SqliteConnection,
    filter: &OverdueFilter,
    limit: usize,
) -> QueryResult<Vec<Overdue>> {
    let mut listed = Vec::new();
    let mut after =
        filter.after.map(|Overdue { inserted_at, id }| (rfc3339_millis(inserted_at), id.to_string()));
    while listed.len() < limit {
        let wanted = limit - listed.len();
        let some: Vec<(String, String)> = positions(filter, after, wanted).load(connection)?;
        listed.extend(some.iter().filter_map(|(inserted_at, id)| position(inserted_at, id)));
        let is_last = some.len() < wanted;
        after = some.into_iter().next_back();
        if is_last {
            break;
        }
    }
    Ok(listed)
}

/// Reads a position; `None` unless the time is in the form, and so in the order, in which this program writes it.
fn position(inserted_at: &str, id: &str) -> Option<Overdue> {
    let overdue = Overdue { inserted_at: inserted_at.parse().ok()?, id: id.parse().ok()? };
    (rfc3339_millis(overdue.inserted_at) == inserted_at).then_some(overdue)
}

type Positions<'a> = diesel::dsl::IntoBoxed<
    'a,
    diesel::dsl::Select<
        device_dispenses::table,
        (diesel::dsl::AssumeNotNull<device_dispenses::inserted_at>, device_dispenses::id),
    >,
    Sqlite,
>;

/// The next positions of the partial index on the dispenses in progress. The statuses stand in the text of the query: by a bound value SQLite
/// would not know that the index has all of them.
fn positions(filter: &OverdueFilter, after: Option<(String, String)>, limit: usize) -> Positions<'_> {
    let spellings = filter.from.iter().flat_map(|status| status.spellings());
    let conditions: Vec<String> = spellings.map(|word| format!("status = '{word}'")).collect();
    let has_status = sql::<Bool>(&format!("({})", conditions.join(" OR ")));
    let positions = device_dispenses::table
        .select((device_dispenses::inserted_at.assume_not_null(), device_dispenses::id))
        .filter(has_status)
        .filter(device_dispenses::inserted_at.lt(rfc3339_millis(filter.inserted_before)))
        .order((device_dispenses::inserted_at, device_dispenses::id))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .into_boxed();
    let Some((inserted_at, id)) = after else { return positions };
    let is_later = device_dispenses::inserted_at.gt(inserted_at.clone());
    let is_same = device_dispenses::inserted_at.eq(inserted_at.clone()).and(device_dispenses::id.gt(id));
    positions.filter(device_dispenses::inserted_at.ge(inserted_at)).filter(is_later.or(is_same))
}

/// Whether the stored dispense is of that legal entity and about that patient, `None` being any. If not, a caller must not see a first answer.
pub(super) fn concerns(
    connection: &mut SqliteConnection,
    id: DispenseId,
    whose: (Option<LegalEntityId>, Option<&Pseudonym>),
) -> QueryResult<bool> {
    let stored = device_dispenses::table.find(id.to_string());
    let stored = stored.select((device_dispenses::owner, device_dispenses::subject));
    let stored: Option<(Option<String>, Option<String>)> = stored.get_result(connection).optional()?;
    Ok(stored.is_some_and(|(owner, subject)| {
        let (owner, subject) = (owner.and_then(|owner| owner.parse().ok()), subject.map(Pseudonym::new));
        is_of(whose, (owner, subject.as_ref()))
    }))
}

/// Whether there is a dispense with that id.
pub(super) fn exists(connection: &mut SqliteConnection, id: DispenseId) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(device_dispenses::table.find(id.to_string()))).get_result(connection)
}

/// Looks up a stored document and the id of the request that it names, as it is stored, but in lower case.
pub(super) fn with_based_on(
    connection: &mut SqliteConnection,
    id: DispenseId,
) -> QueryResult<Option<(String, Option<String>)>> {
    let dispense = device_dispenses::table.find(id.to_string());
    dispense
        .select((device_dispenses::document, device_dispenses::based_on))
        .get_result(connection)
        .optional()
}

/// When the dispenses of a request that are in progress were recorded. The status stands in the text of the query, as in [`positions`].
macro_rules! in_progress {
    ($request:expr) => {
        device_dispenses::table
            .filter(device_dispenses::based_on.eq($request.to_string()))
            .filter(sql::<Bool>(&format!("status = '{}'", DispenseStatus::InProgress.as_str())))
            .select(device_dispenses::inserted_at)
    };
}

/// Whether a dispense of the request is in progress, and recorded since then or at no time that can be read.
pub(super) fn has_active(
    connection: &mut SqliteConnection,
    request: DeviceRequestId,
    since: Option<Timestamp>,
) -> QueryResult<bool> {
    for inserted_at in in_progress!(request).load_iter::<Option<String>, DefaultLoadingMode>(connection)? {
        let inserted_at: Option<Timestamp> = inserted_at?.and_then(|time| time.parse().ok());
        if since.zip(inserted_at).is_none_or(|(since, inserted_at)| inserted_at >= since) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
