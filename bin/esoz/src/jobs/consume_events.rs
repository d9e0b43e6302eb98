use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use esoz_bus_kafka::{BusError, ConsumedMessage, KafkaConsumer};
use esoz_events::{EventIngestion, Ingested};
use esoz_kernel::{StoreError, StoreErrorKind};
use metrics::{Counter, Gauge};

use super::{Job, JobFailure, Worked};
use crate::telemetry::metrics::definitions::{
    CONSUME_EVENTS, EVENT_LOG_LAG, EVENT_LOG_MESSAGES, MESSAGE_OUTCOMES,
};
use crate::telemetry::metrics::{Metrics, NO_LABELS};
use crate::telemetry::outage::{CallLog, Due};

/// Batch size: the most messages whose events are stored in one commit.
const BATCH: usize = 500;

/// The pause when the topic has nothing new; a message ends it.
const PAUSE: Duration = Duration::from_secs(1);

/// Fills the event log from the topic. Replicas share the work as one consumer group.
pub(crate) struct ConsumeEvents {
    store: &'static str,
    /// None after the server has stopped.
    consumer: Mutex<Option<Arc<KafkaConsumer>>>,
    ingestion: EventIngestion,
    /// The messages by outcome, in the order of [`MESSAGE_OUTCOMES`].
    outcomes: [Counter; MESSAGE_OUTCOMES.len()],
    lag: Gauge,
    bus: CallLog,
}

impl ConsumeEvents {
    pub(crate) fn new(
        store: &'static str,
        consumer: KafkaConsumer,
        ingestion: EventIngestion,
        metrics: &Metrics,
        bus: CallLog,
    ) -> Self {
        let outcomes =
            MESSAGE_OUTCOMES.map(|outcome| metrics.counter_from_zero(&EVENT_LOG_MESSAGES, [outcome]));
        let lag = metrics.gauge(&EVENT_LOG_LAG, NO_LABELS);
        Self { store, consumer: Mutex::new(Some(Arc::new(consumer))), ingestion, outcomes, lag, bus }
    }

    fn consumer(&self) -> Option<Arc<KafkaConsumer>> {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, messages: &[ConsumedMessage], ingested: &Ingested) {
        let Ingested { stored, duplicates, skipped, malformed } = ingested;
        for (index, reason) in malformed {
            let position = messages.get(*index).map(|message| (message.partition, message.offset));
            let (partition, offset) = position.unzip();
            // The content is not logged: it may hold personal data.
            tracing::warn!(partition, offset, %reason, "a message of the topic is no event and is skipped");
        }
        let malformed = u64::try_from(malformed.len()).unwrap_or(u64::MAX);
        for (counter, messages) in self.outcomes.iter().zip([*stored, *duplicates, *skipped, malformed]) {
            counter.increment(messages);
        }
    }
}

/// Records a failure to read the topic. A refusal is no outage, and is logged at once.
fn failed(bus: &CallLog, error: &BusError) -> Option<Due> {
    match error {
        BusError::Unavailable { .. } => bus.unavailable(),
        BusError::Settings { .. } | BusError::Refused { .. } => {
            bus.failed(&StoreError::new(StoreErrorKind::Unexpected, "reading the topic"))
        }
    }
}

#[async_trait]
impl Job for ConsumeEvents {
    fn name(&self) -> &'static str {
        CONSUME_EVENTS
    }

    fn store(&self) -> &'static str {
        self.store
    }

    async fn run_once(&self) -> Result<Worked, JobFailure> {
        let Some(consumer) = self.consumer() else { return Ok(Worked::Idle { pause: PAUSE }) };
        let lag = u32::try_from(consumer.lag()).unwrap_or(u32::MAX);
        self.lag.set(f64::from(lag));
        let messages = consumer.read(BATCH).map_err(|error| {
            if let Some(Due { failures, seconds, .. }) = failed(&self.bus, &error) {
                tracing::warn!(%error, failures, seconds, "the topic cannot be read; the job tries again until it can");
            }
            JobFailure::Logged
        })?;
        if messages.is_empty() {
            // Says nothing: there may be nothing to read, or no broker.
            return Ok(Worked::Idle { pause: PAUSE });
        }
        if let Some(Due { failures, seconds, .. }) = self.bus.worked() {
            tracing::info!(failures, seconds, "the topic can be read again");
        }
        let ingested = self.ingestion.ingest(&messages).await?;
        consumer.mark_processed();
        self.record(&messages, &ingested);
        Ok(Worked::More)
    }

    async fn woken(&self) {
        match self.consumer() {
            Some(consumer) => consumer.ready().await,
            None => std::future::pending().await,
        }
    }

    /// Leaves the group, so that other replicas take over at once.
    async fn stop(&self) {
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(consumer) = consumer.and_then(Arc::into_inner) {
            consumer.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use esoz_http::Condition;

    use super::*;
    use crate::telemetry::outage::tests::context;

    #[test]
    fn a_refusal_of_the_brokers_is_logged_at_once_and_that_they_are_away_is_not() {
        let (attempted, reason) = (String::from("reading"), String::from("it may not"));
        let (context, _) = context("kafka");
        context.health.record("kafka", Condition::Up, esoz_kernel::Timestamp::UNIX_EPOCH);
        let bus = context.calls_of("kafka");
        let away = BusError::Unavailable { attempted: attempted.clone(), reason: reason.clone() };
        assert_eq!(failed(&bus, &away), None);
        assert!(failed(&bus, &BusError::Refused { attempted, reason }).is_some());
    }
}
