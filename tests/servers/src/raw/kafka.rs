use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use esoz_events::wire::REQUEST_ID_HEADER;
use esoz_kernel::TraceContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::Issued;
use esoz_testkit::builders::fresh;
use esoz_testkit::contract::{Delivered, Message};

const READ_WITHIN: Duration = Duration::from_secs(30);
/// The key of the marks that a reader puts at the end of what it reads.
const MARK: &[u8] = b"mark";

/// A Kafka topic, as a consumer reads it from its beginning.
#[derive(Debug, Clone)]
pub struct KafkaTopic {
    brokers: String,
    topic: String,
    /// Further settings of the client library.
    settings: Vec<(&'static str, String)>,
}

#[async_trait]
impl Delivered for KafkaTopic {
    async fn messages(&self) -> Vec<Message> {
        let topic = self.clone();
        tokio::task::spawn_blocking(move || topic.read()).await.unwrap()
    }
}

impl KafkaTopic {
    /// The topic of that name.
    pub fn new(brokers: &str, topic: &str) -> Self {
        Self { brokers: brokers.to_owned(), topic: topic.to_owned(), settings: Vec::new() }
    }

    /// The same, reached by TLS: trusting this authority and showing this certificate.
    #[must_use]
    pub fn over_tls(self, root_file: &Path, shown: &Issued) -> Self {
        let path = |path: &Path| path.display().to_string();
        let settings = vec![
            ("security.protocol", "ssl".to_owned()),
            ("ssl.ca.location", path(root_file)),
            ("ssl.certificate.location", path(&shown.certificate)),
            ("ssl.key.location", path(&shown.private_key)),
        ];
        Self { settings, ..self }
    }

    /// Publishes messages as another producer does, each under a key of its own, and waits until the broker has them.
    pub fn publish(&self, messages: &[Vec<u8>]) {
        let producer: BaseProducer = self.config().set("linger.ms", "5").create().unwrap();
        for message in messages {
            let key = unused_name();
            producer.send(BaseRecord::to(&self.topic).key(&key).payload(message)).unwrap();
        }
        producer.flush(READ_WITHIN).unwrap();
        assert_eq!(producer.in_flight_count(), 0, "the broker took not all messages");
    }

    /// Puts a message that is no event at the end of each partition, so that a reader that has met all of them has read what was there; gives their
    /// number.
    pub fn mark_ends(&self) -> u32 {
        let consumer: BaseConsumer = self.config().create().unwrap();
        let partitions = self.partitions(&consumer);
        self.put_marks(&partitions, &unused_name());
        u32::try_from(partitions.len()).unwrap()
    }

    fn partitions(&self, consumer: &BaseConsumer) -> BTreeSet<i32> {
        let metadata = consumer.fetch_metadata(Some(&self.topic), READ_WITHIN).unwrap();
        let partitions = metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
        partitions.map(rdkafka::metadata::MetadataPartition::id).collect()
    }

    /// Everything that is there now. Where a partition ends now is told by a mark put there for that: not every broker
    /// that these tests run against tells its offsets right.
    fn read(&self) -> Vec<Message> {
        let consumer: BaseConsumer = self.config().set("group.id", unused_name()).create().unwrap();
        let mut unread = self.partitions(&consumer);
        let mark = unused_name();
        self.put_marks(&unread, &mark);
        let mut from = TopicPartitionList::new();
        for partition in &unread {
            from.add_partition_offset(&self.topic, *partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&from).unwrap();
        let started = Instant::now();
        let mut read = Vec::new();
        while !unread.is_empty() {
            assert!(started.elapsed() < READ_WITHIN, "no mark after {} messages in {unread:?}", read.len());
            let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
            let message = message.unwrap();
            if message.key() != Some(MARK) {
                // What came after the mark is for the next reader.
                if unread.contains(&message.partition()) {
                    read.push(seen(&message));
                }
            } else if message.payload() == Some(mark.as_bytes()) {
                unread.remove(&message.partition());
            }
        }
        read
    }

    fn put_marks(&self, partitions: &BTreeSet<i32>, mark: &str) {
        let producer: BaseProducer = self.config().set("linger.ms", "0").create().unwrap();
        for partition in partitions {
            let record = BaseRecord::to(&self.topic).partition(*partition).key(MARK).payload(mark);
            producer.send(record).unwrap();
        }
        producer.flush(READ_WITHIN).unwrap();
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("fetch.wait.max.ms", "50");
        for (name, value) in &self.settings {
            config.set(*name, value);
        }
        config
    }
}

fn seen(message: &BorrowedMessage<'_>) -> Message {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
    let headers = message.headers().map(|headers| headers.iter().collect::<Vec<_>>()).unwrap_or_default();
    let known = [REQUEST_ID_HEADER, TraceContext::HEADER];
    assert!(headers.iter().all(|header| known.contains(&header.key)), "{headers:?}");
    let header =
        |name| headers.iter().find(|header| header.key == name).and_then(|header| text(header.value));
    Message {
        key: text(message.key()).unwrap(),
        json: serde_json::from_slice(message.payload().unwrap()).unwrap(),
        request_id: header(REQUEST_ID_HEADER),
        traceparent: header(TraceContext::HEADER),
    }
}

/// A name that nobody else uses.
fn unused_name() -> String {
    format!("esoz-test-{}", fresh().simple())
}
