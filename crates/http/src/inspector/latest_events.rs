use std::sync::Arc;
use std::time::{Duration, Instant};

use esoz_events::{EventFilter, EventLog, LoggedEvent, Period};
use esoz_kernel::{PageRequest, Timestamp};
use tokio::sync::Mutex;

use super::html::event_rows;

/// How many events are shown.
const SHOWN: u32 = 20;
/// How many events are read: others of the same millisecond stand before the oldest one that is shown.
const READ: u32 = 300;

/// The shortest time between two reads of the event log.
pub(super) const POLL: Duration = Duration::from_millis(400);

/// The rows of the latest events, newest first. One reader serves all who look at the page: anybody may, and none of them loads the store.
pub(crate) struct LatestEvents {
    log: Arc<dyn EventLog>,
    latest: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    read_at: Option<Instant>,
    html: Arc<str>,
}

impl LatestEvents {
    pub(super) fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, latest: Mutex::default() }
    }

    /// Returns the rows, read again if the last read is [`POLL`] ago.
    pub(crate) async fn rows(&self) -> Arc<str> {
        // Held during the read, so that all who wait for it share it.
        let mut latest = self.latest.lock().await;
        if latest.read_at.is_none_or(|read_at| read_at.elapsed() >= POLL) {
            // Before the read as well: clients that leave during it cannot make others follow at once.
            latest.read_at = Some(Instant::now());
            let html = event_rows(self.read().await.as_deref()).into();
            *latest = Rows { read_at: Some(Instant::now()), html };
        }
        latest.html.clone()
    }

    /// Reads the latest events, newest first; `None` when the store fails.
    async fn read(&self) -> Option<Vec<LoggedEvent>> {
        let oldest = self.log.nth_newest(SHOWN.into()).await.ok()?;
        let from = oldest.map_or(Timestamp::UNIX_EPOCH, |position| position.event_time);
        let period = Period::new(Some(from), None, u32::MAX, from).ok()?;
        let filter = EventFilter { period, event_type: None, entity_type: None, attribute: None };
        let listed = self.log.list(&filter, PageRequest::new(1, READ)?).await.ok()?;
        Some(listed.items.into_iter().rev().flatten().zip(0..SHOWN).map(|(event, _)| event).collect())
    }
}

#[cfg(test)]
mod tests {
    use esoz_events::{EventPosition, MockEventLog, Properties};
    use esoz_kernel::{EventId, Page, StoreError, StoreErrorKind, UserId, Uuid};

    use super::*;

    fn event(number: u8) -> LoggedEvent {
        LoggedEvent {
            id: EventId::new(Uuid::from_u128(number.into())),
            event_type: "StatusChangeEvent".to_owned(),
            entity_type: format!("number {number}"),
            entity_id: Uuid::nil(),
            properties: Properties::parse("{}").unwrap(),
            event_time: "2026-01-31T12:00:00Z".parse().unwrap(),
            changed_by: UserId::new(Uuid::nil()),
        }
    }

    async fn rows(log: MockEventLog) -> Arc<str> {
        LatestEvents::new(Arc::new(log)).rows().await
    }

    #[actix_web::test]
    async fn the_newest_events_are_shown_whatever_else_their_millisecond_has() {
        let mut log = MockEventLog::new();
        let oldest = EventPosition { event_time: event(0).event_time, id: event(5).id };
        log.expect_nth_newest().withf(|n| *n == 20).returning(move |_| Ok(Some(oldest)));
        log.expect_list().withf(move |filter, _| filter.period.from() == oldest.event_time).returning(
            |_, _| {
                let unreadable = Err(StoreError::corrupt("event_log", "7", "properties"));
                let items: Vec<_> = (0..24).map(|number| Ok(event(number))).chain([unreadable]).collect();
                Ok(Page { total_entries: 25, items })
            },
        );
        let shown = rows(log).await;
        let at = |number| shown.find(&format!("number {number} <"));
        assert!(at(23).is_some() && at(23) < at(4), "{shown}");
        assert_eq!((at(3), shown.matches("<tr").count()), (None, 20), "{shown}");
    }

    #[actix_web::test]
    async fn a_short_log_is_shown_whole_and_a_failing_one_is_not_called_empty() {
        let mut log = MockEventLog::new();
        log.expect_nth_newest().returning(|_| Ok(None));
        log.expect_list().returning(|_, _| Ok(Page { items: vec![Ok(event(7))], total_entries: 1 }));
        assert!(rows(log).await.contains("number 7"));
        let mut log = MockEventLog::new();
        log.expect_nth_newest().returning(|_| Err(StoreError::new(StoreErrorKind::Unavailable, "testing")));
        assert!(rows(log).await.contains("cannot be read"));
    }
}
