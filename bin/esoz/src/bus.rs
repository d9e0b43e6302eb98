//! Where events go, and the loop that takes them there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use esoz_bus_kafka::{KafkaPublisher, KafkaSettings};
use esoz_device_dispense::{DeviceDispenses, Dispense, Transition};
use esoz_events::{Backoff, EventPublisher, Relay};
use esoz_kernel::{Committed, DispenseId, StoreError};
use tokio::sync::{Notify, watch};

use crate::config::{Bus, Config};
use crate::metrics::Rounds;
use crate::stores::{Stores, number};

/// The configured publisher. The log is a table of the SQLite file.
pub(crate) fn publisher(config: &Config, stores: &Stores) -> Result<Arc<dyn EventPublisher>> {
    match (config.bus()?, stores.sqlite.clone()) {
        (Bus::Log, Some(sqlite)) => Ok(sqlite),
        (Bus::Log, None) => bail!("events cannot go to the log of a SQLite file that is not used"),
        (Bus::Kafka, _) => Ok(Arc::new(KafkaPublisher::new(&kafka_settings(config)?).context("Kafka")?)),
    }
}

pub(crate) fn kafka_settings(config: &Config) -> Result<KafkaSettings> {
    let kafka = &config.sections.kafka;
    Ok(KafkaSettings {
        delivery_timeout_ms: number(kafka.delivery_timeout_ms)?,
        ..KafkaSettings::new(&kafka.brokers, &config.sections.events.topic)
    })
}

/// Dispenses that ring when a change has committed, so that its event need not wait for the relay's next look.
pub(crate) struct RingingDispenses {
    pub(crate) inner: Arc<dyn DeviceDispenses>,
    pub(crate) doorbell: Arc<Notify>,
}

#[async_trait]
impl DeviceDispenses for RingingDispenses {
    async fn find(&self, id: DispenseId) -> Result<Option<Dispense>, StoreError> {
        self.inner.find(id).await
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let changed = self.inner.commit(change).await;
        // Also after an error: whether the change took effect may be unknown.
        if !matches!(changed, Ok(Committed::Stale)) {
            self.doorbell.notify_one();
        }
        changed
    }
}

/// The loop around a relay.
pub(crate) struct RelayLoop {
    pub(crate) relay: Relay,
    pub(crate) doorbell: Arc<Notify>,
    /// How long the relay sleeps when nobody rings: events of another replica that died are found after this.
    pub(crate) poll: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) rounds: Rounds,
}

impl RelayLoop {
    /// Carries events until told to stop, then once more what is there, and gives back what it holds.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut failures = 0_u32;
        // Nobody left to tell it is the same as being told.
        while !*stop.borrow() && stop.has_changed().is_ok() {
            let wait = if self.round(&mut failures).await { Duration::ZERO } else { self.pause(failures) };
            // After a failure nobody's ring shortens the wait: the bus gets its rest.
            let ring = async {
                if failures > 0 { std::future::pending::<()>().await } else { self.doorbell.notified().await }
            };
            if !wait.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = ring => {}
                    _ = stop.changed() => {}
                }
            }
        }
        self.round(&mut failures).await;
        if let Err(error) = self.relay.release().await {
            let error = error.with_causes();
            tracing::warn!(
                error,
                "the relay could not give back what it holds; others get it when its claim ends"
            );
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        if failures > 0 { self.backoff.wait(failures) } else { self.poll }
    }

    /// One round; whether there may be more to do at once.
    async fn round(&self, failures: &mut u32) -> bool {
        let round = self.relay.run_once().await;
        self.rounds.tell(&round);
        match round {
            Ok(round) if round.failed == 0 => {
                *failures = 0;
                if round.delivered > 0 {
                    tracing::debug!(delivered = round.delivered, "events delivered");
                }
                round.delivered > 0
            }
            Ok(round) => {
                *failures = failures.saturating_add(1);
                let reason = round.failure.map(|failure| failure.to_string());
                let (delivered, waiting) = (round.delivered, round.failed);
                tracing::warn!(
                    delivered,
                    waiting,
                    failures,
                    reason,
                    "the bus did not take all events; they wait"
                );
                false
            }
            Err(error) => {
                *failures = failures.saturating_add(1);
                tracing::warn!(
                    error = error.with_causes(),
                    failures,
                    "the outbox could not be read or claimed from"
                );
                false
            }
        }
    }
}
