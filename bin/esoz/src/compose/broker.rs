//! What a program does with message brokers. [`BrokerBackend`] needs the feature `servers`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use esoz_events::EventPublisher;
use esoz_kernel::StoreError;
use esoz_tls::Transport;

use crate::config::Config;

/// What a program does with the brokers that it is configured for.
#[async_trait]
pub(crate) trait BrokerBackend: Send + Sync {
    /// Makes a client, with this time limit of a request or the usual one. Does not wait for a broker.
    fn connect(&self, config: &Config, timeout: Option<Duration>) -> Result<Arc<dyn Broker>>;

    /// Joins this consumer group. Does not wait for a broker.
    fn consumer(&self, config: &Config, group: &str) -> Result<Arc<dyn TopicConsumer>>;

    /// Refuses what no client could use, without a connection.
    fn check(&self, config: &Config) -> Result<()>;

    /// How the brokers are reached.
    fn transport(&self, config: &Config) -> Result<Transport>;

    /// What is wrong with one copy of the topic; none if that is as it should be.
    fn single_replica(&self, config: &Config) -> Result<Option<String>>;

    /// Creates the topic, if it is not there.
    async fn create_topic(&self, config: &Config) -> Result<()>;
}

/// A client of the brokers.
#[async_trait]
pub(crate) trait Broker: EventPublisher {
    /// Checks that the brokers answer and that the topic can be used.
    async fn ping(&self) -> Result<()>;
}

/// A message of the topic, with its position.
pub(crate) struct TopicMessage {
    pub(crate) payload: Vec<u8>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl AsRef<[u8]> for TopicMessage {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

/// The topic, read as a member of a consumer group: at least once, each partition in its order.
#[async_trait]
pub(crate) trait TopicConsumer: Send + Sync {
    /// The number of partitions that are read, and of the messages in them behind the committed offsets.
    fn lag(&self) -> [u64; 2];

    /// Returns the messages that are there, at most so many; the same again until they are processed.
    ///
    /// # Errors
    /// When the topic cannot be read: it is unavailable, or reading is refused.
    fn read(&self, most: usize) -> Result<Vec<TopicMessage>, StoreError>;

    /// Marks the messages that were read as processed.
    fn mark_processed(&self);

    /// Waits until there is a message to process, or a failure to report.
    async fn ready(&self);

    /// Leaves the consumer group, unless another reference to the consumer is held.
    async fn close(self: Arc<Self>);
}
