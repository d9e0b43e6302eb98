//! The topic as a consumer sees it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::metadata::MetadataTopic;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::Stage;

const METADATA_WITHIN: Duration = Duration::from_secs(30);

/// A consumer of all that is put into the topic of a stage.
pub struct Topic {
    consumer: BaseConsumer,
}

impl Topic {
    /// Reads it from its beginning.
    pub fn of(stage: &Stage) -> Result<Self> {
        let brokers = stage.servers().context("this stage has no broker")?.kafka();
        let name = super::database(&stage.folder);
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", &name)
            .set("fetch.wait.max.ms", "10")
            .set("enable.auto.commit", "false")
            .create()
            .context("making a consumer")?;
        let metadata = consumer.fetch_metadata(Some(&name), METADATA_WITHIN).context("asking the broker")?;
        let mut from = TopicPartitionList::new();
        for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
            from.add_partition_offset(&name, partition.id(), Offset::Beginning)?;
        }
        consumer.assign(&from).context("reading the topic")?;
        Ok(Self { consumer })
    }

    /// Hands over the dispenses whose events have arrived; waits for a first one, but not longer than that.
    pub fn poll(&self, wait: Duration, mut arrived: impl FnMut(&str)) -> Result<()> {
        let mut wait = wait;
        while let Some(message) = self.consumer.poll(wait) {
            let message = message.context("reading the topic")?;
            arrived(std::str::from_utf8(message.key().unwrap_or_default())?);
            wait = Duration::ZERO;
        }
        Ok(())
    }
}
