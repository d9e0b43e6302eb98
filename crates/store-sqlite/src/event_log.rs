use async_trait::async_trait;
use diesel::connection::DefaultLoadingMode;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use esoz_events::{
    Attribute, EventFilter, EventLog, EventPosition, EventPublisher, LoggedEvent, PublishError,
    StatusChangeEvent, wire, wire::MalformedEvent,
};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{EventId, Page, PageRequest, StoreError, Timestamp};

use crate::SqliteStore;
use crate::error::SqliteError;
use crate::read_limit::is_in_time;
use crate::rows::{Location, MAX_PURGED_PER_TRANSACTION};
use crate::schema::event_log;

#[async_trait]
impl EventPublisher for SqliteStore {
    /// Appends the events to the log of this file, all in one commit. An event that is there already is not written again.
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
        let rows = events.to_vec();
        let appended = self
            .writer
            .write("appending to the log of events", move |connection| {
                for event in &rows {
                    let traceparent = event.trace.map(|trace| trace.to_string());
                    append(connection, &event.into(), Some(event.request_id.as_str()), traceparent)?;
                }
                Ok(())
            })
            .await;
        let answer = || match &appended {
            Ok(()) => Ok(()),
            Err(error) => Err(PublishError::Unavailable(error.to_string())),
        };
        events.iter().map(|_| answer()).collect()
    }
}

/// Appends an event unless it is there; returns the number of rows.
fn append(
    connection: &mut SqliteConnection,
    event: &LoggedEvent,
    request_id: Option<&str>,
    traceparent: Option<String>,
) -> Result<usize, SqliteError> {
    Ok(diesel::insert_into(event_log::table)
        .values((
            event_log::event_id.eq(event.id.to_string()),
            event_log::json.eq(wire::render(event)),
            event_log::attributes.eq(event.properties.attributes_json()),
            event_log::request_id.eq(request_id),
            event_log::traceparent.eq(traceparent),
        ))
        .on_conflict(event_log::event_id)
        .do_nothing()
        .execute(connection)?)
}

#[async_trait]
impl EventLog for SqliteStore {
    async fn store(&self, events: &[LoggedEvent]) -> Result<u64, StoreError> {
        let events = events.to_vec();
        self.writer
            .write("storing events", move |connection| {
                let mut stored = 0;
                for event in &events {
                    stored += append(connection, event, None, None)?;
                }
                Ok(u64::try_from(stored).unwrap_or(u64::MAX))
            })
            .await
    }

    async fn find(&self, id: EventId) -> Result<Option<LoggedEvent>, StoreError> {
        let json: Option<String> = self
            .read(format!("finding event {id}"), move |connection| {
                let event = event_log::table.filter(event_log::event_id.eq(id.to_string()));
                Ok(event.select(event_log::json).get_result(connection).optional()?)
            })
            .await?;
        json.map(|json| event(&id.to_string(), &json)).transpose()
    }

    async fn list(
        &self,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Page<Result<LoggedEvent, StoreError>>, StoreError> {
        let filter = filter.clone();
        self.read("listing events", move |connection| {
            // One snapshot for both.
            connection.transaction(|connection| {
                let total: i64 = matching(&filter).count().get_result(connection)?;
                let rows: Vec<(String, String)> = matching(&filter)
                    .order((event_log::event_time, event_log::event_id))
                    .limit(page.size().into())
                    .offset(i64::try_from(page.offset()).unwrap_or(i64::MAX))
                    .select((event_log::event_id, event_log::json))
                    .load(connection)?;
                let items = rows.iter().map(|(id, json)| event(id, json)).collect();
                Ok(Page { items, total_entries: total.unsigned_abs() })
            })
        })
        .await
    }

    async fn nth_newest(&self, n: u64) -> Result<Option<EventPosition>, StoreError> {
        let Some(newer) = n.checked_sub(1).and_then(|newer| i64::try_from(newer).ok()) else {
            return Ok(None);
        };
        self.read("counting events from the newest", move |connection| {
            let newest = event_log::table
                .filter(event_log::event_time.le(rfc3339_millis(Timestamp::MAX)))
                .order((event_log::event_time.desc(), event_log::event_id.desc()))
                .select((event_log::event_time, event_log::event_id))
                .offset(newer);
            for row in newest.load_iter::<(String, String), DefaultLoadingMode>(connection)? {
                let (event_time, id) = row?;
                if let Some(position) = position(&event_time, &id) {
                    return Ok(Some(position));
                }
            }
            Ok(None)
        })
        .await
    }

    async fn remove_before(&self, position: EventPosition, limit: u32) -> Result<u64, StoreError> {
        let (event_time, id) = (rfc3339_millis(position.event_time), position.id.to_string());
        let limit = i64::from(limit).min(i64::try_from(MAX_PURGED_PER_TRANSACTION).unwrap_or(i64::MAX));
        let is_before = event_log::event_time.lt(event_time.clone()).or(event_log::event_id.lt(id));
        let old = event_log::table
            .filter(event_log::event_time.le(event_time).and(is_before))
            .order((event_log::event_time, event_log::event_id))
            .limit(limit)
            .select(event_log::sequence);
        // Reads first: without old events no write is queued. Rows are immutable, so the result stays valid.
        let found: Vec<i64> =
            self.read("looking for old events", move |connection| Ok(old.load(connection)?)).await?;
        if found.is_empty() {
            return Ok(0);
        }
        self.writer
            .write("removing old events", move |connection| {
                let old = event_log::table.filter(event_log::sequence.eq_any(&found));
                Ok(u64::try_from(diesel::delete(old).execute(connection)?).unwrap_or(u64::MAX))
            })
            .await
    }
}

/// Reads an event of the log.
fn event(id: &str, json: &str) -> Result<LoggedEvent, StoreError> {
    wire::read(json.as_bytes()).map_err(|malformed| {
        let field = match malformed {
            MalformedEvent::NotAnObject => "json",
            MalformedEvent::Field(field) => field,
        };
        Location { table: "event_log", id }.corrupt(field)
    })
}

/// Reads a position; `None` unless the texts are in the form, and so in the order, in which this program writes them.
fn position(event_time: &str, id: &str) -> Option<EventPosition> {
    let position = EventPosition { event_time: event_time.parse().ok()?, id: id.parse().ok()? };
    let is_canonical = rfc3339_millis(position.event_time) == event_time && position.id.to_string() == id;
    is_canonical.then_some(position)
}

/// The events that meet a filter.
fn matching(filter: &EventFilter) -> event_log::BoxedQuery<'_, Sqlite> {
    let mut matching = event_log::table
        .filter(event_log::event_time.ge(rfc3339_millis(filter.period.from())))
        .filter(event_log::event_time.lt(rfc3339_millis(filter.period.until())))
        .into_boxed();
    if let Some(event_type) = &filter.event_type {
        matching = matching.filter(event_log::event_type.eq(event_type));
    }
    if let Some(entity_type) = &filter.entity_type {
        matching = matching.filter(event_log::entity_type.eq(entity_type));
    }
    if filter.attribute.is_some() {
        matching = matching.filter(is_in_time());
    }
    // A path of JSON would read dots and quotes in a name.
    let with_name =
        "EXISTS (SELECT 1 FROM json_each(event_log.attributes) AS attribute WHERE attribute.key = ";
    match &filter.attribute {
        None => matching,
        Some(Attribute { name, new_value: None }) => {
            matching.filter(sql::<Bool>(with_name).bind::<Text, _>(name).sql(")"))
        }
        Some(Attribute { name, new_value: Some(text) }) => {
            let with_value = sql::<Bool>(with_name).bind::<Text, _>(name).sql(" AND attribute.value = ");
            matching.filter(with_value.bind::<Text, _>(text).sql(")"))
        }
    }
}

impl SqliteStore {
    /// Events of the log in the order of their delivery: those behind the given sequence (0 for the beginning), `limit` at most, each with
    /// its own sequence and in the form of [`esoz_events::wire::json`]. Whoever goes on from the last sequence misses none.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub async fn delivered_after(&self, sequence: i64, limit: u32) -> Result<Vec<(i64, String)>, StoreError> {
        self.read("reading the log of events", move |connection| {
            Ok(event_log::table
                .filter(event_log::sequence.gt(sequence))
                .order(event_log::sequence)
                .limit(limit.into())
                .select((event_log::sequence, event_log::json))
                .load(connection)?)
        })
        .await
    }
}
