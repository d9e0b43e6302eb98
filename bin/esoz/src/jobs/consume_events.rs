use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use esoz_events::{EventIngestion, Ingested};
use metrics::{Counter, Gauge};

use super::job::{Job, JobFailure, Worked};
use crate::compose::broker::{TopicConsumer, TopicMessage};
use crate::telemetry::metrics::definitions::{
    CONSUME_EVENTS, EVENT_LOG_LAG, EVENT_LOG_MESSAGES, EVENT_LOG_PARTITIONS, MESSAGE_OUTCOMES,
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
    consumer: Mutex<Option<Arc<dyn TopicConsumer>>>,
    ingestion: EventIngestion,
    /// The messages by outcome, in the order of [`MESSAGE_OUTCOMES`].
    outcomes: [Counter; MESSAGE_OUTCOMES.len()],
    /// The partitions that are read, and the messages that wait in them.
    lag: [Gauge; 2],
    bus: CallLog,
}

impl ConsumeEvents {
    pub(crate) fn new(
        store: &'static str,
        consumer: Arc<dyn TopicConsumer>,
        ingestion: EventIngestion,
        metrics: &Metrics,
        bus: CallLog,
    ) -> Self {
        let outcomes =
            MESSAGE_OUTCOMES.map(|outcome| metrics.counter_from_zero(&EVENT_LOG_MESSAGES, [outcome]));
        let lag = [&EVENT_LOG_PARTITIONS, &EVENT_LOG_LAG].map(|metric| metrics.gauge(metric, NO_LABELS));
        Self { store, consumer: Mutex::new(Some(consumer)), ingestion, outcomes, lag, bus }
    }

    fn consumer(&self) -> Option<Arc<dyn TopicConsumer>> {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, messages: &[TopicMessage], ingested: &Ingested) {
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
        for (gauge, value) in self.lag.iter().zip(consumer.lag()) {
            gauge.set(f64::from(u32::try_from(value).unwrap_or(u32::MAX)));
        }
        let messages = consumer.read(BATCH).map_err(|error| {
            if let Some(Due { failures, seconds, .. }) = self.bus.failed(&error) {
                let error = error.with_causes();
                tracing::warn!(
                    error,
                    failures,
                    seconds,
                    "the topic cannot be read; the job tries again until it can"
                );
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
        if let Some(consumer) = consumer {
            consumer.close().await;
        }
    }
}
