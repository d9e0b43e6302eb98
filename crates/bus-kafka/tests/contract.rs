//! The contract that every publisher keeps.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::sync::Arc;

use esoz_bus_kafka::{KafkaPublisher, KafkaSettings};
use esoz_test_servers::raw::KafkaTopic;
use esoz_testkit::contract::PublisherUnderTest;
use support::topic_name;

const PARTITIONS: u16 = 3;

async fn fresh() -> PublisherUnderTest {
    let topic = topic_name();
    let server = esoz_test_servers::shared::kafka();
    server.create_topic(&topic, PARTITIONS).unwrap();
    let settings = KafkaSettings::new(server.brokers(), &topic);
    PublisherUnderTest {
        publisher: Arc::new(KafkaPublisher::new(&settings).unwrap()),
        delivered: Arc::new(KafkaTopic::new(server.brokers(), &topic)),
        keep: Box::new(()),
    }
}

esoz_testkit::publisher_contract!(fresh);
