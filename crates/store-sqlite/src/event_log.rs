use async_trait::async_trait;
use diesel::prelude::*;
use esoz_events::{EventPublisher, PublishError, StatusChangeEvent, wire};
use esoz_kernel::StoreError;

use crate::SqliteStore;
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
                    diesel::insert_into(event_log::table)
                        .values((
                            event_log::event_id.eq(event.id.to_string()),
                            event_log::json.eq(wire::json(event)),
                            event_log::request_id.eq(event.request_id.as_str()),
                            event_log::traceparent.eq(event.trace.map(|trace| trace.to_string())),
                        ))
                        .on_conflict(event_log::event_id)
                        .do_nothing()
                        .execute(connection)?;
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
