use std::collections::HashMap;

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::dsl::min;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use esoz_events::{
    Backlog, Claim, Claimed, EventRef, Outbox, Refused, SetAside, StatusChangeEvent, Which, readable,
};
use esoz_kernel::{EventId, RequestId, StoreError, Timestamp, TraceContext, UserId, Uuid};

use crate::PostgresStore;
use crate::error::During as _;
use crate::schema::outbox;
use crate::statement::{at_most_one, statement};
use crate::time::{from_pg, to_pg};

#[derive(Queryable)]
struct EventRow {
    sequence: i64,
    event_id: Uuid,
    entity_type: String,
    entity_id: Uuid,
    new_status: String,
    event_time: PgTimestamp,
    changed_by: Uuid,
    request_id: String,
    traceparent: Option<String>,
    set_aside_at: Option<PgTimestamp>,
}

type EventSql =
    (BigInt, SqlUuid, Text, SqlUuid, Text, Timestamptz, SqlUuid, Text, Nullable<Text>, Nullable<Timestamptz>);

impl EventRow {
    fn event(&self) -> Result<StatusChangeEvent, StoreError> {
        let corrupt = |column| StoreError::corrupt("outbox", self.event_id, column);
        Ok(StatusChangeEvent {
            id: EventId::new(self.event_id),
            entity_type: self.entity_type.parse().map_err(|_| corrupt("entity_type"))?,
            entity_id: self.entity_id,
            new_status: self.new_status.clone(),
            event_time: from_pg(self.event_time).ok_or_else(|| corrupt("event_time"))?,
            changed_by: UserId::new(self.changed_by),
            request_id: RequestId::parse(&self.request_id).ok_or_else(|| corrupt("request_id"))?,
            // An unreadable trace does not delay its event.
            trace: self.traceparent.as_deref().and_then(TraceContext::parse),
        })
    }
}

statement! {
    /// Claims the longest-waiting entities that the relay may have. Skips rows that another relay is claiming at this moment; a claim that it
    /// has just committed is seen once the row is locked.
    ClaimEvents {
        relay: Uuid => SqlUuid,
        now: PgTimestamp => Timestamptz,
        until: PgTimestamp => Timestamptz,
        latest_end: PgTimestamp => Timestamptz,
        passed_over: Vec<Uuid> => Array<SqlUuid>,
        most: i64 => BigInt,
    } -> EventSql;
    " , entity AS MATERIALIZED (
         SELECT waiting.entity_id FROM args CROSS JOIN outbox AS waiting
         WHERE waiting.set_aside_at IS NULL
           AND (waiting.claimed_by IS NULL OR waiting.claimed_by = args.relay
                OR waiting.claimed_until <= args.now OR waiting.claimed_until > args.latest_end)
           AND waiting.entity_id <> ALL (args.passed_over)
           AND NOT EXISTS (
               SELECT FROM outbox AS earlier
               WHERE earlier.entity_id = waiting.entity_id AND earlier.sequence < waiting.sequence)
         ORDER BY waiting.sequence
         LIMIT (SELECT most FROM args)
         FOR UPDATE OF waiting SKIP LOCKED)
     UPDATE outbox AS held SET claimed_by = args.relay, claimed_until = args.until
     FROM args, entity WHERE held.entity_id = entity.entity_id
     RETURNING held.sequence, held.event_id, held.entity_type, held.entity_id, held.new_status, held.event_time,
         held.changed_by, held.request_id, held.traceparent, held.set_aside_at"
}

statement! {
    /// Sets events aside, each with its reason, and releases the claims on their entities.
    SetEventsAside {
        now: PgTimestamp => Timestamptz,
        ids: Vec<Uuid> => Array<SqlUuid>,
        reasons: Vec<String> => Array<Text>,
    } -> SqlUuid;
    " , refused AS MATERIALIZED (
         SELECT found.event_id, found.entity_id, given.reason
         FROM args CROSS JOIN unnest(args.ids, args.reasons) AS given(id, reason)
         JOIN outbox AS found ON found.event_id = given.id)
     UPDATE outbox AS held SET
         claimed_by = NULL, claimed_until = NULL,
         set_aside_at = CASE WHEN held.event_id = refused.event_id THEN args.now ELSE held.set_aside_at END,
         set_aside_reason = CASE WHEN held.event_id = refused.event_id THEN refused.reason ELSE held.set_aside_reason END
     FROM args, refused WHERE held.entity_id = refused.entity_id
     RETURNING held.event_id"
}

impl PostgresStore {
    async fn set_events_aside(&self, refused: Vec<(Uuid, String)>, now: Timestamp) -> Result<(), StoreError> {
        let (ids, reasons) = refused.into_iter().unzip();
        let statement = SetEventsAside { now: to_pg(now), ids, reasons };
        self.connections.query_write::<Uuid, _>(statement).await.map(drop).during("setting events aside")
    }
}

/// Number of waiting events, time of the oldest, number of events set aside.
type CountsRow = (Option<i64>, Option<PgTimestamp>, Option<i64>);

/// An event that was set aside: id, entity type, entity, reason and time.
type SetAsideRow = (Uuid, String, Uuid, Option<String>, Option<PgTimestamp>);

#[async_trait]
impl Outbox for PostgresStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let statement = ClaimEvents {
            relay: claim.by,
            now: to_pg(claim.now),
            until: to_pg(claim.until()),
            latest_end: to_pg(claim.latest_end()),
            passed_over: claim.except.clone(),
            most: claim.max_entities.into(),
        };
        let rows = self.connections.query_write::<EventRow, _>(statement).await;
        let mut rows = rows.during("claiming waiting events")?;
        rows.sort_unstable_by_key(|row| row.sequence);
        // Entities are ordered by their first events; the sort is stable.
        let mut first_events = HashMap::new();
        for row in &rows {
            first_events.entry(row.entity_id).or_insert(row.sequence);
        }
        rows.sort_by_key(|row| first_events.get(&row.entity_id).copied());
        let mut claimed = Claimed::default();
        let mut unreadable = Vec::new();
        for rows in rows.chunk_by(|one, next| one.entity_id == next.entity_id) {
            let deliverable = rows.iter().take_while(|row| row.set_aside_at.is_none());
            match readable(deliverable.map(|row| row.event().map_err(|error| (row, error.to_string())))) {
                Ok(events) => claimed.events.extend(events),
                Err((row, reason)) => {
                    unreadable.push((row.event_id, reason.clone()));
                    let (kind, at) = (Some(row.entity_type.as_str()), Some(claim.now));
                    claimed.set_aside.push(SetAside::new(row.event_id, kind, row.entity_id, reason, at));
                }
            }
        }
        if !unreadable.is_empty() {
            self.set_events_aside(unreadable, claim.now).await?;
        }
        Ok(claimed)
    }

    async fn remove(&self, delivered: &[EventRef]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = delivered.iter().map(|event| event.id.uuid()).collect();
        let removal = diesel::delete(outbox::table.filter(outbox::event_id.eq_any(ids)));
        self.connections.execute(removal).await.map(drop).during("removing delivered events")
    }

    async fn set_aside(&self, refused: &[Refused], now: Timestamp) -> Result<(), StoreError> {
        let refused = refused.iter().map(|refused| (refused.event.id.uuid(), refused.reason.clone()));
        self.set_events_aside(refused.collect(), now).await
    }

    async fn release(&self, by: Uuid) -> Result<(), StoreError> {
        let unclaimed = (outbox::claimed_by.eq(None::<Uuid>), outbox::claimed_until.eq(None::<PgTimestamp>));
        let release = diesel::update(outbox::table.filter(outbox::claimed_by.eq(by))).set(unclaimed);
        self.connections.execute(release).await.map(drop).during("releasing claimed events")
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let held_up = diesel::alias!(outbox as held_up);
        let held_up = held_up
            .filter(held_up.field(outbox::set_aside_at).is_not_null())
            .select(held_up.field(outbox::entity_id));
        let waiting = outbox::table.filter(outbox::set_aside_at.is_null());
        let can_go = waiting.filter(outbox::entity_id.ne_all(held_up));
        let counts = diesel::select((
            waiting.count().single_value(),
            can_go.select(min(outbox::event_time)).single_value(),
            outbox::table.filter(outbox::set_aside_at.is_not_null()).count().single_value(),
        ));
        let counted =
            self.connections.query::<CountsRow, _>(counts).await.during("counting waiting events")?;
        let count =
            |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
        Ok(at_most_one(counted).map_or_else(Backlog::default, |(depth, oldest, set_aside)| Backlog {
            depth: count(depth),
            oldest: oldest.and_then(from_pg),
            set_aside: count(set_aside),
        }))
    }

    async fn list_set_aside(&self, limit: u32) -> Result<Vec<SetAside>, StoreError> {
        let listed = outbox::table
            .filter(outbox::set_aside_at.is_not_null())
            .order((outbox::set_aside_at, outbox::sequence))
            .limit(limit.into())
            .select((
                outbox::event_id,
                outbox::entity_type,
                outbox::entity_id,
                outbox::set_aside_reason,
                outbox::set_aside_at,
            ));
        let rows = self.connections.query::<SetAsideRow, _>(listed).await;
        let rows = rows.during("listing the events that were set aside")?;
        let described = |(id, entity_type, entity_id, reason, at): SetAsideRow| {
            let (reason, at) = (reason.unwrap_or_default(), at.and_then(from_pg));
            SetAside::new(id, Some(&entity_type), entity_id, reason, at)
        };
        Ok(rows.into_iter().map(described).collect())
    }

    async fn retry(&self, which: &Which) -> Result<u64, StoreError> {
        let waits =
            (outbox::set_aside_at.eq(None::<PgTimestamp>), outbox::set_aside_reason.eq(None::<String>));
        let aside = outbox::table.filter(outbox::set_aside_at.is_not_null());
        let retried = match which {
            Which::All => self.connections.execute(diesel::update(aside).set(waits)).await,
            Which::These(ids) => {
                let ids: Vec<Uuid> = ids.iter().filter_map(|id| id.parse().ok()).collect();
                let these = aside.filter(outbox::event_id.eq_any(ids));
                self.connections.execute(diesel::update(these).set(waits)).await
            }
        };
        let retried = retried.during("retrying events that were set aside")?;
        Ok(u64::try_from(retried).unwrap_or(u64::MAX))
    }

    async fn drop_set_aside(&self, id: &str) -> Result<bool, StoreError> {
        let Ok(id) = id.parse::<Uuid>() else { return Ok(false) };
        let event = outbox::table.filter(outbox::event_id.eq(id)).filter(outbox::set_aside_at.is_not_null());
        let dropped = self.connections.execute(diesel::delete(event)).await;
        Ok(dropped.during("dropping an event that was set aside")? > 0)
    }
}
