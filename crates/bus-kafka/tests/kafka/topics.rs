//! Making topics, and settings that cannot work.

use std::time::{Duration, Instant};

use esoz_bus_kafka::{BusError, KafkaPublisher, KafkaSettings, ensure_topic};
use esoz_events::EventPublisher;
use esoz_kernel::SecretString;
use esoz_test_servers::{ReservedPort, raw::KafkaTopic, shared};
use esoz_testkit::{builders, contract::Delivered};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
    mocking::MockCluster,
};

use crate::patient;
use crate::support::topic_name;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_created_once_and_can_then_be_published_to() {
    let server = shared::kafka();
    let settings = patient(KafkaSettings::new(server.brokers(), topic_name()));
    for partitions in [3, 5] {
        ensure_topic(&settings, partitions, 1).await.unwrap();
        assert_eq!(partitions_of(&settings), 3);
    }
    let publisher = KafkaPublisher::new(&settings).unwrap();
    publisher.ping().await.unwrap();
    let event = builders::event_of(builders::fresh());
    for answer in publisher.publish(std::slice::from_ref(&event)).await {
        answer.unwrap();
    }
    let end = KafkaTopic::new(&settings.brokers, &settings.topic);
    assert_eq!(end.messages().await.len(), 1);
}

fn partitions_of(settings: &KafkaSettings) -> usize {
    let mut config = ClientConfig::new();
    let consumer: BaseConsumer = config.set("bootstrap.servers", &settings.brokers).create().unwrap();
    let metadata = consumer.fetch_metadata(Some(&settings.topic), Duration::from_secs(10)).unwrap();
    metadata.topics().iter().map(|topic| topic.partitions().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_that_create_a_topic_at_once_none_fails() {
    let server = shared::kafka();
    let settings = patient(KafkaSettings::new(server.brokers(), topic_name()));
    let creating = (0..4).map(|_| ensure_topic(&settings, 1, 1));
    for outcome in futures_util::future::join_all(creating).await {
        outcome.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_replicas_than_brokers_are_refused_with_the_numbers_in_the_error() {
    let cluster = MockCluster::new(1).unwrap();
    let settings = KafkaSettings::new(cluster.bootstrap_servers(), topic_name());
    let error = ensure_topic(&settings, 1, 3).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&settings.topic) && text.contains("replication 3"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_every_question_ends_in_its_time() {
    let port = ReservedPort::new().unwrap();
    let settings = KafkaSettings {
        request_timeout_ms: 500,
        ..KafkaSettings::new(port.address().to_string(), topic_name())
    };
    let started = Instant::now();
    let error = ensure_topic(&settings, 1, 1).await.unwrap_err();
    assert!(matches!(error, BusError::Unavailable { .. }), "{error}");
    let error = KafkaPublisher::new(&settings).unwrap().ping().await.unwrap_err();
    assert!(matches!(error, BusError::Unavailable { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_cannot_work_is_named_without_its_value() {
    for (key, value) in [("no.such.setting", "secret"), ("security.protocol", "secret")] {
        let mut settings = KafkaSettings::new("localhost:9092", "topic");
        settings.properties.insert(key.to_owned(), SecretString::new(value));
        let Err(error) = KafkaPublisher::new(&settings) else { panic!("{key} was taken") };
        let text = format!("{error} {error:?}");
        assert!(text.contains(key) && !text.contains("secret"), "{text}");
    }
}
