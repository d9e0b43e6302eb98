//! The event log: stores events, finds, lists and removes them.

use async_trait::async_trait;
use diesel::QueryResult;
use diesel::data_types::PgTimestamp;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use esoz_events::{Attribute, EventFilter, EventLog, EventPosition, LoggedEvent, Properties};
use esoz_kernel::{EventId, Page, PageRequest, StoreError, Timestamp, UserId, Uuid};

use crate::PostgresStore;
use crate::error::During as _;
use crate::statement::{at_most_one, statement};
use crate::time::{from_pg, to_pg};

/// An event: id, types of event and entity, entity, properties, time, user.
type EventRow = (Uuid, String, String, Uuid, String, PgTimestamp, Uuid);
type EventSql = (SqlUuid, Text, Text, SqlUuid, Text, Timestamptz, SqlUuid);

fn event(row: EventRow) -> Result<LoggedEvent, StoreError> {
    let (id, event_type, entity_type, entity_id, properties, event_time, changed_by) = row;
    let corrupt = |column| StoreError::corrupt("event_log", id, column);
    Ok(LoggedEvent {
        id: EventId::new(id),
        event_type,
        entity_type,
        entity_id,
        properties: Properties::parse(&properties).ok_or_else(|| corrupt("properties"))?,
        event_time: from_pg(event_time).ok_or_else(|| corrupt("event_time"))?,
        changed_by: UserId::new(changed_by),
    })
}

statement! {
    /// Stores the events that are not there. In the order of ids, so that two statements with the same events do not wait for each other both ways.
    StoreEvents {
        ids: Vec<Uuid> => Array<SqlUuid>,
        event_types: Vec<String> => Array<Text>,
        entity_types: Vec<String> => Array<Text>,
        entity_ids: Vec<Uuid> => Array<SqlUuid>,
        properties: Vec<String> => Array<Text>,
        attributes: Vec<String> => Array<Text>,
        event_times: Vec<PgTimestamp> => Array<Timestamptz>,
        changed_by: Vec<Uuid> => Array<SqlUuid>,
    } -> SqlUuid;
    " INSERT INTO event_log (id, event_type, entity_type, entity_id, properties, attributes, event_time, changed_by)
     SELECT given.id, given.event_type, given.entity_type, given.entity_id, given.properties::json, given.attributes::jsonb,
         given.event_time, given.changed_by
     FROM args CROSS JOIN unnest(
         args.ids, args.event_types, args.entity_types, args.entity_ids, args.properties, args.attributes, args.event_times,
         args.changed_by
     ) AS given(id, event_type, entity_type, entity_id, properties, attributes, event_time, changed_by)
     ORDER BY given.id
     ON CONFLICT (id) DO NOTHING
     RETURNING id"
}

statement! {
    /// Finds an event.
    FindEvent { id: Uuid => SqlUuid, } -> EventSql;
    " SELECT logged.id, logged.event_type, logged.entity_type, logged.entity_id, logged.properties::text, logged.event_time,
         logged.changed_by
     FROM args JOIN event_log AS logged ON logged.id = args.id"
}

statement! {
    /// Finds the position that so many events are after, among those whose time can be read.
    PositionFromEnd {
        newer: i64 => BigInt,
        first: PgTimestamp => Timestamptz,
        last: PgTimestamp => Timestamptz,
    } -> (Timestamptz, SqlUuid);
    " SELECT event_time, id FROM event_log
     WHERE event_time BETWEEN (SELECT first FROM args) AND (SELECT last FROM args)
     ORDER BY event_time DESC, id DESC
     OFFSET (SELECT newer FROM args) LIMIT 1"
}

statement! {
    /// Removes the first events of the log that are before a position. A concurrent removal waits and skips what is gone.
    RemoveEvents {
        event_time: PgTimestamp => Timestamptz,
        id: Uuid => SqlUuid,
        max_rows: i64 => BigInt,
    } -> SqlUuid;
    " , old AS MATERIALIZED (
         SELECT logged.id FROM event_log AS logged
         WHERE (logged.event_time, logged.id) < ((SELECT event_time FROM args), (SELECT id FROM args))
         ORDER BY logged.event_time, logged.id
         LIMIT (SELECT max_rows FROM args))
     DELETE FROM event_log AS logged USING old WHERE logged.id = old.id
     RETURNING logged.id"
}

/// Lists a page of the events that meet a filter, each row with the total; an empty page is one row with the total alone. Only the conditions that
/// are asked for are part of the text, so that each can use its index.
#[derive(Debug, Clone)]
struct ListEvents {
    from: PgTimestamp,
    until: PgTimestamp,
    event_type: Option<String>,
    entity_type: Option<String>,
    attribute: Option<Attribute>,
    size: i64,
    skipped: i64,
}

impl ListEvents {
    fn new(filter: &EventFilter, page: PageRequest) -> Self {
        let EventFilter { period, event_type, entity_type, attribute } = filter.clone();
        Self {
            from: to_pg(period.from()),
            until: to_pg(period.until()),
            event_type,
            entity_type,
            attribute,
            size: page.size().into(),
            skipped: i64::try_from(page.offset()).unwrap_or(i64::MAX),
        }
    }

    fn conditions<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("event_time >= ");
        out.push_bind_param::<Timestamptz, _>(&self.from)?;
        out.push_sql(" AND event_time < ");
        out.push_bind_param::<Timestamptz, _>(&self.until)?;
        for (condition, text) in
            [(" AND event_type = ", &self.event_type), (" AND entity_type = ", &self.entity_type)]
        {
            if let Some(text) = text {
                out.push_sql(condition);
                out.push_bind_param::<Text, _>(text)?;
            }
        }
        if let Some(Attribute { name, new_value }) = &self.attribute {
            out.push_sql(" AND jsonb_exists(attributes, ");
            out.push_bind_param::<Text, _>(name)?;
            out.push_sql(")");
            if let Some(text) = new_value {
                out.push_sql(" AND attributes ->> ");
                out.push_bind_param::<Text, _>(name)?;
                out.push_sql(" = ");
                out.push_bind_param::<Text, _>(text)?;
            }
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for ListEvents {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT total.entries, page.id, page.event_type, page.entity_type, page.entity_id, page.properties::text, page.event_time,
                 page.changed_by
             FROM (SELECT count(*) AS entries FROM event_log WHERE ",
        );
        self.conditions(out.reborrow())?;
        out.push_sql(") AS total LEFT JOIN (SELECT * FROM event_log WHERE ");
        self.conditions(out.reborrow())?;
        out.push_sql(" ORDER BY event_time, id LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.size)?;
        out.push_sql(" OFFSET ");
        out.push_bind_param::<BigInt, _>(&self.skipped)?;
        out.push_sql(") AS page ON true ORDER BY page.event_time, page.id");
        Ok(())
    }
}

impl Query for ListEvents {
    type SqlType = (BigInt, Nullable<EventSql>);
}

/// The text depends on the filter, so that the type alone does not identify the prepared statement.
impl QueryId for ListEvents {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

#[async_trait]
impl EventLog for PostgresStore {
    async fn store(&self, events: &[LoggedEvent]) -> Result<u64, StoreError> {
        let statement = StoreEvents {
            ids: events.iter().map(|event| event.id.uuid()).collect(),
            event_types: events.iter().map(|event| event.event_type.clone()).collect(),
            entity_types: events.iter().map(|event| event.entity_type.clone()).collect(),
            entity_ids: events.iter().map(|event| event.entity_id).collect(),
            properties: events.iter().map(|event| event.properties.as_str().to_owned()).collect(),
            attributes: events.iter().map(|event| event.properties.attributes_json()).collect(),
            event_times: events.iter().map(|event| to_pg(event.event_time)).collect(),
            changed_by: events.iter().map(|event| event.changed_by.uuid()).collect(),
        };
        let stored = self.records.query_write::<Uuid, _>(statement).await.during("storing events")?;
        Ok(u64::try_from(stored.len()).unwrap_or(u64::MAX))
    }

    async fn find(&self, id: EventId) -> Result<Option<LoggedEvent>, StoreError> {
        let rows = self.records.query(FindEvent { id: id.uuid() }).await;
        let rows = rows.during(format_args!("finding event {id}"))?;
        at_most_one(rows).map(event).transpose()
    }

    async fn list(
        &self,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Page<Result<LoggedEvent, StoreError>>, StoreError> {
        let list = ListEvents::new(filter, page);
        let rows = self.records.query::<(i64, Option<EventRow>), _>(list).await;
        let rows = rows.during("listing events")?;
        let total_entries = rows.first().map_or(0, |(total, _)| total.unsigned_abs());
        let items = rows.into_iter().filter_map(|(_, row)| row).map(event).collect();
        Ok(Page { items, total_entries })
    }

    async fn nth_newest(&self, n: u64) -> Result<Option<EventPosition>, StoreError> {
        let Some(newer) = n.checked_sub(1).and_then(|newer| i64::try_from(newer).ok()) else {
            return Ok(None);
        };
        let [first, last] = [Timestamp::MIN, Timestamp::MAX].map(to_pg);
        let position = PositionFromEnd { newer, first, last };
        let rows = self.records.query::<(PgTimestamp, Uuid), _>(position).await;
        let rows = rows.during("counting events from the newest")?;
        let position =
            |(event_time, id)| Some(EventPosition { event_time: from_pg(event_time)?, id: EventId::new(id) });
        Ok(at_most_one(rows).and_then(position))
    }

    async fn remove_before(&self, position: EventPosition, limit: u32) -> Result<u64, StoreError> {
        let EventPosition { event_time, id } = position;
        let removal = RemoveEvents { event_time: to_pg(event_time), id: id.uuid(), max_rows: limit.into() };
        let removed = self.records.query_write::<Uuid, _>(removal).await.during("removing old events")?;
        Ok(u64::try_from(removed.len()).unwrap_or(u64::MAX))
    }
}
