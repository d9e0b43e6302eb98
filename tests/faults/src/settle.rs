//! Waits after the faults until expiry, delivery and the event log have caught up.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::read;
use crate::trial::{POLL_EVERY, Trial};

/// Longest time for each of them.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);

impl Trial {
    /// Waits until every dispense that is overdue has expired.
    ///
    /// # Errors
    /// After two minutes, with what is missing.
    pub(crate) async fn wait_for_expiry(&self) -> Result<()> {
        let deadline = Deadline(Instant::now());
        loop {
            match self.shared.fixtures.all_have_expired().await {
                Ok(true) => return Ok(()),
                Ok(false) => deadline.wait("overdue dispenses have not expired").await?,
                Err(error) => deadline.wait(&error.to_string()).await?,
            }
        }
    }

    /// Waits until nothing waits for delivery.
    ///
    /// # Errors
    /// After two minutes, with what is missing.
    pub async fn wait_for_delivery(&self) -> Result<Duration> {
        let deadline = Deadline(Instant::now());
        loop {
            match self.shared.fixtures.stores.backlog().await {
                Ok(backlog) if backlog.depth == 0 => return Ok(deadline.0.elapsed()),
                Ok(backlog) => deadline.wait(&format!("{} events wait in the outbox", backlog.depth)).await?,
                Err(error) => deadline.wait(&error.to_string()).await?,
            }
        }
    }

    /// Waits until every event of the topic is in the event log.
    ///
    /// # Errors
    /// After two minutes, with what is missing.
    pub(crate) async fn wait_for_event_log(&self) -> Result<()> {
        let deadline = Deadline(Instant::now());
        let topic = read::state(&self.stores).await?.topic;
        loop {
            let log: BTreeSet<String> = read::event_log(&self.stores)?.into_iter().collect();
            match topic.iter().find(|event| !log.contains(&event.id)) {
                Some(event) => deadline.wait(&format!("the event log lacks event {}", event.id)).await?,
                None => return Ok(()),
            }
        }
    }
}

/// Waits until something is so, but not for ever.
struct Deadline(Instant);

impl Deadline {
    /// Waits a little until the next look.
    ///
    /// # Errors
    /// When it is over.
    async fn wait(&self, not_yet: &str) -> Result<()> {
        if self.0.elapsed() > SETTLED_WITHIN {
            bail!("after {SETTLED_WITHIN:?}, {not_yet}");
        }
        tokio::time::sleep(POLL_EVERY).await;
        Ok(())
    }
}
