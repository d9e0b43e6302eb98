use async_trait::async_trait;
use diesel::dsl::{exists, min, not};
use diesel::prelude::*;
use esoz_events::{
    Backlog, Claim, Claimed, EventRef, Outbox, Refused, SetAside, StatusChangeEvent, Which, readable,
};
use esoz_kernel::time::{rfc3339_micros, rfc3339_millis};
use esoz_kernel::{EventId, RequestId, StoreError, Timestamp, TraceContext, Uuid};

use crate::SqliteStore;
use crate::error::SqliteError;
use crate::rows::Location;
use crate::schema::outbox;

#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub(crate) struct EventRow {
    pub(crate) sequence: i64,
    pub(crate) event_id: String,
    pub(crate) entity_type: String,
    pub(crate) entity_id: String,
    pub(crate) new_status: String,
    pub(crate) event_time: String,
    pub(crate) changed_by: String,
    pub(crate) request_id: String,
    pub(crate) traceparent: Option<String>,
    pub(crate) set_aside_at: Option<String>,
}

impl EventRow {
    pub(crate) fn event(&self) -> Result<StatusChangeEvent, StoreError> {
        let location = Location { table: "outbox", id: &self.event_id };
        let id: EventId = location.parse("event_id", &self.event_id)?;
        // In another spelling the row would not be found again, and the event delivered for ever.
        if id.to_string() != self.event_id {
            return Err(location.corrupt("event_id"));
        }
        Ok(StatusChangeEvent {
            id,
            entity_type: location.parse("entity_type", &self.entity_type)?,
            entity_id: location.parse("entity_id", &self.entity_id)?,
            new_status: self.new_status.clone(),
            event_time: location.parse("event_time", &self.event_time)?,
            changed_by: location.parse("changed_by", &self.changed_by)?,
            request_id: RequestId::parse(&self.request_id).ok_or_else(|| location.corrupt("request_id"))?,
            // An invalid trace context is dropped: it must not hold the event up.
            trace: self.traceparent.as_deref().and_then(TraceContext::parse),
        })
    }
}

/// Appends an event in the transaction of its change. A relay's claim on the entity covers this event too, so that none overtakes another.
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

/// The entities that the relay can claim, by the first waiting event of each, oldest first.
macro_rules! claimable {
    ($claim:expr) => {{
        let earlier = diesel::alias!(outbox as earlier);
        let first_of_entity = not(exists(
            earlier
                .filter(earlier.field(outbox::entity_id).eq(outbox::entity_id))
                .filter(earlier.field(outbox::sequence).lt(outbox::sequence)),
        ));
        outbox::table
            .filter(outbox::set_aside_at.is_null())
            .filter(first_of_entity)
            .filter(
                outbox::claimed_by
                    .is_null()
                    .or(outbox::claimed_by.eq($claim.by.to_string()))
                    .or(outbox::claimed_until.le(rfc3339_micros($claim.now)))
                    .or(outbox::claimed_until.gt(rfc3339_micros($claim.latest_end()))),
            )
            .filter(outbox::entity_id.ne_all($claim.except.iter().map(ToString::to_string)))
            .order(outbox::sequence)
            .limit($claim.max_entities.into())
            .select(outbox::entity_id)
    }};
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        // An idle relay must not queue writes.
        let is_any = {
            let claim = claim.clone();
            self.read("looking for waiting events", move |connection| {
                let first: Option<String> = claimable!(claim).first(connection).optional()?;
                Ok(first.is_some())
            })
            .await?
        };
        if !is_any {
            return Ok(Claimed::default());
        }
        let claim = claim.clone();
        self.writer
            .write("claiming events", move |connection| {
                let entities: Vec<String> = claimable!(claim).load(connection)?;
                let mut claimed = Claimed::default();
                for entity in &entities {
                    claim_entity(connection, &claim, entity, &mut claimed)?;
                }
                Ok(claimed)
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

    async fn set_aside(&self, refused: &[Refused], now: Timestamp) -> Result<(), StoreError> {
        let refused = refused.to_vec();
        self.writer
            .write("setting refused events aside", move |connection| {
                for Refused { event, reason } in &refused {
                    let entity = event.entity_id.to_string();
                    set_aside(connection, &event.id.to_string(), &entity, reason, now)?;
                }
                Ok(())
            })
            .await
    }

    async fn release(&self, by: Uuid) -> Result<(), StoreError> {
        self.writer
            .write("releasing claimed events", move |connection| {
                diesel::update(outbox::table.filter(outbox::claimed_by.eq(by.to_string())))
                    .set((outbox::claimed_by.eq(NULL), outbox::claimed_until.eq(NULL)))
                    .execute(connection)?;
                Ok(())
            })
            .await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let (depth, oldest, set_aside): (Option<i64>, Option<String>, Option<i64>) = self
            .read("measuring the backlog of events", |connection| {
                let held_up = diesel::alias!(outbox as held_up);
                let held_up = held_up
                    .filter(held_up.field(outbox::set_aside_at).is_not_null())
                    .select(held_up.field(outbox::entity_id));
                let waiting = outbox::table.filter(outbox::set_aside_at.is_null());
                let can_go = waiting.filter(outbox::entity_id.ne_all(held_up));
                let counts = (
                    waiting.count().single_value(),
                    can_go.select(min(outbox::event_time)).single_value(),
                    outbox::table.filter(outbox::set_aside_at.is_not_null()).count().single_value(),
                );
                Ok(diesel::select(counts).get_result(connection)?)
            })
            .await?;
        let count =
            |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
        // One that cannot be read hides the age of the others until it is set aside.
        let oldest = oldest.and_then(|text| text.parse().ok());
        Ok(Backlog { depth: count(depth), oldest, set_aside: count(set_aside) })
    }

    async fn list_set_aside(&self, limit: u32) -> Result<Vec<SetAside>, StoreError> {
        let rows: Vec<(String, String, String, Option<String>, Option<String>)> = self
            .read("listing the events that were set aside", move |connection| {
                let columns = (
                    outbox::event_id,
                    outbox::entity_type,
                    outbox::entity_id,
                    outbox::set_aside_reason,
                    outbox::set_aside_at,
                );
                let rows = outbox::table.filter(outbox::set_aside_at.is_not_null()).select(columns);
                Ok(rows
                    .order((outbox::set_aside_at, outbox::sequence))
                    .limit(limit.into())
                    .load(connection)?)
            })
            .await?;
        let listed =
            |(id, kind, entity_id, reason, at): (String, String, String, Option<String>, Option<String>)| {
                let (reason, at) = (reason.unwrap_or_default(), at.and_then(|at| at.parse().ok()));
                SetAside::new(id, Some(&kind), entity_id, reason, at)
            };
        Ok(rows.into_iter().map(listed).collect())
    }

    async fn retry(&self, which: &Which) -> Result<u64, StoreError> {
        let which = which.clone();
        self.writer
            .write("retrying events that were set aside", move |connection| {
                let rows = outbox::table.filter(outbox::set_aside_at.is_not_null());
                let retried = (outbox::set_aside_at.eq(NULL), outbox::set_aside_reason.eq(NULL));
                let retried = match &which {
                    Which::All => diesel::update(rows).set(retried).execute(connection),
                    Which::These(ids) => diesel::update(rows.filter(outbox::event_id.eq_any(ids)))
                        .set(retried)
                        .execute(connection),
                }?;
                Ok(u64::try_from(retried).unwrap_or(u64::MAX))
            })
            .await
    }

    async fn drop_set_aside(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.writer
            .write("dropping an event that was set aside", move |connection| {
                let event = outbox::table.filter(outbox::event_id.eq(&id));
                let dropped = diesel::delete(event.filter(outbox::set_aside_at.is_not_null()));
                Ok(dropped.execute(connection)? > 0)
            })
            .await
    }
}

const NULL: Option<&str> = None;

/// Claims the entity and adds its events up to the first unreadable one; sets that aside if it is the first of all.
fn claim_entity(
    connection: &mut SqliteConnection,
    claim: &Claim,
    entity: &str,
    claimed: &mut Claimed,
) -> Result<(), SqliteError> {
    let (by, until) = (claim.by.to_string(), rfc3339_micros(claim.until()));
    let mut rows = diesel::update(outbox::table.filter(outbox::entity_id.eq(entity)))
        .set((outbox::claimed_by.eq(Some(by)), outbox::claimed_until.eq(Some(until))))
        .returning(EventRow::as_returning())
        .load(connection)?;
    rows.sort_unstable_by_key(|row| row.sequence);
    let deliverable = rows.iter().take_while(|row| row.set_aside_at.is_none());
    match readable(deliverable.map(|row| row.event().map_err(|error| (row, error)))) {
        Ok(events) => claimed.events.extend(events),
        Err((row, error)) => {
            let reason = error.to_string();
            set_aside(connection, &row.event_id, entity, &reason, claim.now)?;
            let (kind, at) = (Some(row.entity_type.as_str()), Some(claim.now));
            claimed.set_aside.push(SetAside::new(&row.event_id, kind, entity, reason, at));
        }
    }
    Ok(())
}

/// Sets the event aside and ends the claim on its entity. An event that is gone is passed over: another relay may have claimed the entity since.
fn set_aside(
    connection: &mut SqliteConnection,
    event_id: &str,
    entity: &str,
    reason: &str,
    now: Timestamp,
) -> QueryResult<()> {
    let found = diesel::update(outbox::table.filter(outbox::event_id.eq(event_id)))
        .set((outbox::set_aside_at.eq(rfc3339_micros(now)), outbox::set_aside_reason.eq(reason)))
        .execute(connection)?;
    if found > 0 {
        diesel::update(outbox::table.filter(outbox::entity_id.eq(entity)))
            .set((outbox::claimed_by.eq(NULL), outbox::claimed_until.eq(NULL)))
            .execute(connection)?;
    }
    Ok(())
}
