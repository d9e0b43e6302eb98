use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use rdkafka::client::OAuthToken;
use rdkafka::consumer::{Consumer as _, ConsumerContext, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::statistics::{Partition, Statistics};
use rdkafka::{ClientContext, Offset, TopicPartitionList, config::RDKafkaLogLevel};

use crate::client::{Context, blocking};
use crate::credentials::Credentials;
use crate::renewal::Renewed;
use crate::{BusError, KafkaSettings};

/// The size from which a batch takes no more messages, in bytes.
const BATCH_BYTES: usize = 4 << 20;

/// A message of the topic, with its position.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsumedMessage {
    /// Its value; empty if it has none.
    pub payload: Vec<u8>,
    /// Its partition.
    pub partition: i32,
    /// Its offset in the partition.
    pub offset: i64,
}

impl AsRef<[u8]> for ConsumedMessage {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

impl From<BorrowedMessage<'_>> for ConsumedMessage {
    fn from(message: BorrowedMessage<'_>) -> Self {
        let payload = message.payload().unwrap_or_default().to_vec();
        Self { payload, partition: message.partition(), offset: message.offset() }
    }
}

/// How far a consumer is behind the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// The partitions that it reads, and whose end it knows.
    pub partitions: u64,
    /// The messages in them that are not committed as processed.
    pub messages: u64,
}

/// Reads the topic as a member of a consumer group: at least once, each partition in its order. A new group begins at the beginning of the topic.
///
/// A batch that was read stays with the consumer until [`KafkaConsumer::mark_processed`]; only then its offsets are committed. Must be used inside a Tokio
/// runtime.
pub struct KafkaConsumer {
    consumer: Renewed<Arc<StreamConsumer<LagContext>>>,
    group: String,
    topic: String,
    batch: Mutex<Batch>,
}

/// What was read and not processed yet.
#[derive(Default)]
struct Batch {
    messages: Vec<ConsumedMessage>,
    bytes: usize,
    /// Why reading failed after these messages.
    failure: Option<BusError>,
}

impl Batch {
    fn push(&mut self, message: ConsumedMessage) {
        self.bytes = self.bytes.saturating_add(message.payload.len());
        self.messages.push(message);
    }

    /// Returns what was read. A failure hides nothing that was read before it: it is reported when that is processed.
    fn read(&mut self) -> Result<Vec<ConsumedMessage>, BusError> {
        match self.failure.take_if(|_| self.messages.is_empty()) {
            Some(failure) => Err(failure),
            None => Ok(self.messages.clone()),
        }
    }

    /// Drops the messages, and returns the offset of the next one for each partition.
    fn processed(&mut self) -> BTreeMap<i32, i64> {
        self.bytes = 0;
        let messages = std::mem::take(&mut self.messages);
        messages.iter().map(|message| (message.partition, message.offset.saturating_add(1))).collect()
    }
}

impl KafkaConsumer {
    /// Joins the group. Does not wait for a broker.
    ///
    /// # Errors
    /// [`BusError`] when a setting is invalid, or a file of theirs cannot be used.
    pub fn subscribe(settings: &KafkaSettings, group: &str) -> Result<Self, BusError> {
        let consumer = Renewed::new(settings, make(group))?;
        Ok(Self { consumer, group: group.to_owned(), topic: settings.topic.clone(), batch: Mutex::default() })
    }

    /// Waits until there is a message to process, or a failure to report.
    pub async fn ready(&self) {
        let is_empty = |batch: MutexGuard<'_, Batch>| batch.messages.is_empty() && batch.failure.is_none();
        if is_empty(self.batch()) {
            let received = self.receive().await;
            let mut batch = self.batch();
            match received {
                Ok(message) => batch.push(message),
                Err(failure) => batch.failure = Some(failure),
            }
        }
    }

    /// Returns the messages that are there, at most so many, without waiting for more. The same again until they are
    /// [processed](Self::mark_processed).
    ///
    /// # Errors
    /// [`BusError`] when the brokers refuse to be read. That they are away is no error: the client library connects again.
    pub fn read(&self, most: usize) -> Result<Vec<ConsumedMessage>, BusError> {
        let mut batch = self.batch();
        while batch.failure.is_none() && batch.messages.len() < most && batch.bytes < BATCH_BYTES {
            match self.receive().now_or_never() {
                None => break,
                Some(Ok(message)) => batch.push(message),
                Some(Err(failure)) => batch.failure = Some(failure),
            }
        }
        batch.read()
    }

    /// Marks the batch as processed and drops it. Its offsets are committed within a second, or when the consumer is closed.
    pub fn mark_processed(&self) {
        let next = self.batch().processed();
        let mut offsets = TopicPartitionList::new();
        let added = next.into_iter().try_for_each(|(partition, offset)| {
            offsets.add_partition_offset(&self.topic, partition, Offset::Offset(offset))
        });
        // Fails for a partition that went to another consumer meanwhile, which reads these messages again.
        if let Err(error) = added.and_then(|()| self.consumer.get().store_offsets(&offsets)) {
            tracing::debug!(error = %self.failure(&error), "offsets were not stored");
        }
    }

    /// The partitions that this consumer reads, and the messages in them that are not committed as processed, as it was known a second ago.
    pub fn lag(&self) -> Lag {
        *self.consumer.get().context().lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits what was processed and leaves the group, so that others take over at once.
    pub async fn close(self) {
        // Dropping a consumer blocks until it has left. It fails only when the runtime ends as well.
        let _ = blocking("leaving the consumer group", move || drop(self)).await;
    }

    async fn receive(&self) -> Result<ConsumedMessage, BusError> {
        loop {
            let consumer = self.consumer.get();
            match consumer.recv().await.map_err(|error| self.failure(&error)) {
                Ok(message) => return Ok(message.into()),
                Err(error @ BusError::Unavailable { .. }) => {
                    tracing::debug!(%error, "the topic is read as soon as a broker answers");
                }
                Err(error) => {
                    // With a password that was replaced, for example. Until then the connections hold.
                    self.consumer.renewed(make(&self.group));
                    return Err(error);
                }
            }
        }
    }

    fn failure(&self, error: &KafkaError) -> BusError {
        BusError::new(format!("reading the topic {}", self.topic), error)
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a consumer is made, which joins the group.
fn make(
    group: &str,
) -> impl FnOnce(&KafkaSettings, &Credentials) -> Result<Arc<StreamConsumer<LagContext>>, BusError> {
    move |settings, credentials| {
        let context = LagContext { context: Context::new(settings), lag: Mutex::default() };
        let consumer: StreamConsumer<LagContext> = settings
            .consumer_config(group, credentials)?
            .create_with_context(context)
            .map_err(|error| BusError::new("creating a consumer", &error))?;
        let topic = &settings.topic;
        let subscribed = consumer.subscribe(&[topic]);
        subscribed.map_err(|error| BusError::new(format!("subscribing to the topic {topic}"), &error))?;
        Ok(Arc::new(consumer))
    }
}

/// Logs as every client does, and keeps the lag that the client library reports.
#[derive(Debug)]
struct LagContext {
    context: Context,
    lag: Mutex<Lag>,
}

impl ClientContext for LagContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.context.generate_oauth_token(config)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let lag = partitions.filter_map(lag_of).fold(Lag::default(), |sum, messages| Lag {
            partitions: sum.partitions.saturating_add(1),
            messages: sum.messages.saturating_add(messages),
        });
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
    }

    fn error(&self, error: KafkaError, message: &str) {
        self.context.error(error, message);
    }
}

impl ConsumerContext for LagContext {}

/// The lag of a partition; `None` if this consumer does not read it, or does not know its end yet. The client library's own `consumer_lag` is unknown
/// as long as a new group has committed nothing, and keeps its last value for a partition that has gone to another consumer.
fn lag_of(partition: &Partition) -> Option<u64> {
    let end = if partition.ls_offset < 0 { partition.hi_offset } else { partition.ls_offset };
    let processed = partition.committed_offset.max(partition.lo_offset).max(0);
    let is_read = partition.fetch_state == "active" && end >= 0;
    is_read.then(|| u64::try_from(end.saturating_sub(processed)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    #[test]
    fn given_messages_and_a_failure_after_them_when_they_are_processed_then_the_failure_is_reported_once() {
        let mut batch = Batch::default();
        for (partition, offset) in [(0, 7), (1, 3), (0, 8)] {
            batch.push(ConsumedMessage { payload: vec![0], partition, offset });
        }
        let refused = KafkaError::MessageConsumption(RDKafkaErrorCode::TopicAuthorizationFailed);
        batch.failure = Some(BusError::new("reading", &refused));

        for _ in 0..2 {
            assert_eq!(batch.read().unwrap().len(), 3);
        }
        assert_eq!(batch.processed(), BTreeMap::from([(0, 9), (1, 4)]));
        assert!(batch.read().is_err());
        assert!(batch.read().unwrap().is_empty());
    }
}
