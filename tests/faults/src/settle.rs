//! Waiting, once nothing goes wrong any more, until all that a server does by itself is done.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::read;
use crate::trial::{POLL_EVERY, Trial};

/// How long everything that waits may take to be delivered once nothing is in its way.
const DRAINED_WITHIN: Duration = Duration::from_mins(2);

impl Trial {
    /// Waits until every dispense that is overdue has expired.
    pub(crate) async fn expired(&self) -> Result<()> {
        let patience = Patience(Instant::now());
        loop {
            match self.shared.fixtures.all_have_expired().await {
                Ok(true) => return Ok(()),
                Ok(false) => patience.wait("overdue dispenses have not expired").await?,
                Err(error) => patience.wait(&error.to_string()).await?,
            }
        }
    }

    /// Waits until nothing waits for delivery.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn drained(&self) -> Result<Duration> {
        let patience = Patience(Instant::now());
        loop {
            match self.shared.fixtures.stores.backlog().await {
                Ok(backlog) if backlog.depth == 0 => return Ok(patience.0.elapsed()),
                Ok(backlog) => patience.wait(&format!("{} events wait in the outbox", backlog.depth)).await?,
                Err(error) => patience.wait(&error.to_string()).await?,
            }
        }
    }

    /// Waits until every event of the topic is in the event log.
    pub(crate) async fn logged(&self) -> Result<()> {
        let patience = Patience(Instant::now());
        let topic = read::state(&self.stores).await?.topic;
        loop {
            let log: BTreeSet<String> = read::event_log(&self.stores)?.into_iter().collect();
            match topic.iter().find(|event| !log.contains(&event.id)) {
                Some(event) => patience.wait(&format!("the event log lacks event {}", event.id)).await?,
                None => return Ok(()),
            }
        }
    }
}

/// Waits until something is so, but not for ever.
struct Patience(Instant);

impl Patience {
    /// Waits a little until the next look.
    ///
    /// # Errors
    /// When it is over.
    async fn wait(&self, not_yet: &str) -> Result<()> {
        if self.0.elapsed() > DRAINED_WITHIN {
            bail!("after {DRAINED_WITHIN:?}, {not_yet}");
        }
        tokio::time::sleep(POLL_EVERY).await;
        Ok(())
    }
}
