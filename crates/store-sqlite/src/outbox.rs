use async_trait::async_trait;
use diesel::dsl::{count_star, exists, min, not};
use diesel::prelude::*;
use esoz_events::{Backlog, Claim, EventRef, Outbox, StatusChangeEvent};
use esoz_kernel::time::{rfc3339_micros, rfc3339_millis};
use esoz_kernel::{RequestId, StoreError, Timestamp, TraceContext, Uuid};

use crate::SqliteStore;
use crate::rows::Place;
use crate::schema::outbox;

#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox)]
struct EventRow {
    sequence: i64,
    event_id: String,
    entity_type: String,
    entity_id: String,
    new_status: String,
    event_time: String,
    changed_by: String,
    request_id: String,
    traceparent: Option<String>,
}

impl EventRow {
    fn event(&self) -> Result<StatusChangeEvent, StoreError> {
        let place = Place { table: "outbox", id: &self.event_id };
        Ok(StatusChangeEvent {
            id: place.parse("event_id", &self.event_id)?,
            entity_type: place.parse("entity_type", &self.entity_type)?,
            entity_id: place.parse("entity_id", &self.entity_id)?,
            new_status: self.new_status.clone(),
            event_time: place.parse("event_time", &self.event_time)?,
            changed_by: place.parse("changed_by", &self.changed_by)?,
            request_id: RequestId::parse(&self.request_id).ok_or_else(|| place.corrupt("request_id"))?,
            // What only traces need holds no event up.
            trace: self.traceparent.as_deref().and_then(TraceContext::parse),
        })
    }
}

/// For fuzz targets: the event in a row of those columns.
#[cfg(feature = "fuzzing")]
pub(crate) fn event_of(row: [&str; 7], traceparent: Option<&str>) -> Result<StatusChangeEvent, StoreError> {
    let [event_id, entity_type, entity_id, new_status, event_time, changed_by, request_id] =
        row.map(str::to_owned);
    let traceparent = traceparent.map(str::to_owned);
    EventRow {
        sequence: 0,
        event_id,
        entity_type,
        entity_id,
        new_status,
        event_time,
        changed_by,
        request_id,
        traceparent,
    }
    .event()
}

/// Puts an event at the end, in the transaction that makes the change. While a relay holds the entity, it holds this event as well: no other
/// may overtake it.
pub(crate) fn put(connection: &mut SqliteConnection, event: &StatusChangeEvent) -> QueryResult<usize> {
    let entity_id = event.entity_id.to_string();
    let waiting = outbox::table.filter(outbox::entity_id.eq(&entity_id)).limit(1);
    diesel::insert_into(outbox::table)
        .values((
            outbox::event_id.eq(event.id.to_string()),
            outbox::entity_type.eq(event.entity_type.as_str()),
            outbox::entity_id.eq(&entity_id),
            outbox::new_status.eq(&event.new_status),
            outbox::event_time.eq(rfc3339_millis(event.event_time)),
            outbox::changed_by.eq(event.changed_by.to_string()),
            outbox::request_id.eq(event.request_id.as_str()),
            outbox::traceparent.eq(event.trace.map(|trace| trace.to_string())),
            outbox::claimed_by.eq(waiting.select(outbox::claimed_by).single_value()),
            outbox::claimed_until.eq(waiting.select(outbox::claimed_until).single_value()),
        ))
        .execute(connection)
}

/// The entities that the relay may have: the first waiting event of each, longest-waiting first.
macro_rules! claimable {
    ($by:expr, $now:expr, $most:expr) => {{
        let earlier = diesel::alias!(outbox as earlier);
        let first_of_entity = not(exists(
            earlier
                .filter(earlier.field(outbox::entity_id).eq(outbox::entity_id))
                .filter(earlier.field(outbox::sequence).lt(outbox::sequence)),
        ));
        outbox::table
            .filter(first_of_entity)
            .filter(
                outbox::claimed_by
                    .is_null()
                    .or(outbox::claimed_by.eq($by))
                    .or(outbox::claimed_until.le($now)),
            )
            .order(outbox::sequence)
            .limit($most)
            .select(outbox::entity_id)
    }};
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn claim(&self, claim: &Claim) -> Result<Vec<StatusChangeEvent>, StoreError> {
        let (by, now, until) =
            (claim.by.to_string(), rfc3339_micros(claim.now), rfc3339_micros(claim.until()));
        let most = i64::from(claim.max_entities);
        // An idle relay must not take turns to write from those who have something to write.
        let is_any = {
            let (by, now) = (by.clone(), now.clone());
            self.read("looking for waiting events", move |connection| {
                let first: Option<String> =
                    claimable!(Some(&by), Some(&now), most).first(connection).optional()?;
                Ok(first.is_some())
            })
            .await?
        };
        if !is_any {
            return Ok(Vec::new());
        }
        self.writer
            .write("claiming events", move |connection| {
                let entities: Vec<String> = claimable!(Some(&by), Some(&now), most).load(connection)?;
                let mut rows: Vec<EventRow> = Vec::new();
                for entity in entities {
                    let claimed = diesel::update(outbox::table.filter(outbox::entity_id.eq(entity)))
                        .set((outbox::claimed_by.eq(Some(&by)), outbox::claimed_until.eq(Some(&until))))
                        .returning(EventRow::as_returning())
                        .load(connection)?;
                    rows.extend(claimed);
                }
                rows.sort_unstable_by_key(|row| row.sequence);
                Ok(rows
                    .iter()
                    .map(EventRow::event)
                    .collect::<Result<Vec<StatusChangeEvent>, StoreError>>()?)
            })
            .await
    }

    async fn remove(&self, delivered: &[EventRef]) -> Result<(), StoreError> {
        let delivered: Vec<String> = delivered.iter().map(|event| event.id.to_string()).collect();
        self.writer
            .write("removing delivered events", move |connection| {
                for id in &delivered {
                    diesel::delete(outbox::table.filter(outbox::event_id.eq(id))).execute(connection)?;
                }
                Ok(())
            })
            .await
    }

    async fn release(&self, by: Uuid) -> Result<(), StoreError> {
        self.writer
            .write("releasing claimed events", move |connection| {
                diesel::update(outbox::table.filter(outbox::claimed_by.eq(by.to_string())))
                    .set((outbox::claimed_by.eq(None::<String>), outbox::claimed_until.eq(None::<String>)))
                    .execute(connection)?;
                Ok(())
            })
            .await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let (depth, oldest): (i64, Option<String>) = self
            .read("measuring the backlog of events", |connection| {
                Ok(outbox::table.select((count_star(), min(outbox::event_time))).first(connection)?)
            })
            .await?;
        let place = Place { table: "outbox", id: "(the oldest)" };
        let oldest = oldest.map(|text| place.parse::<Timestamp>("event_time", &text)).transpose()?;
        Ok(Backlog { depth: u64::try_from(depth).unwrap_or_default(), oldest })
    }
}
