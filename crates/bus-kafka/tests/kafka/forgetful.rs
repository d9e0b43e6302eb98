//! What a broker remembers of a producer decides nothing (docs/adr/0018).

use std::time::Duration;

use esoz_bus_kafka::{KafkaPublisher, KafkaSettings};
use esoz_events::{EventPublisher as _, PublishError};
use esoz_test_servers::raw::KafkaTopic;
use esoz_testkit::{builders, contract::Delivered as _, wait::wait_for};
use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use crate::support::topic_name;

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A broker that answers the first requests of that kind so, and a publisher to it. The broker ends when it is dropped.
pub(crate) fn answering(
    kind: RDKafkaApiKey,
    answers: &[RDKafkaRespErr],
) -> (Cluster, KafkaPublisher, KafkaTopic) {
    let cluster = MockCluster::new(1).unwrap();
    let topic = topic_name();
    cluster.create_topic(&topic, 1, 1).unwrap();
    let settings = KafkaSettings {
        delivery_timeout_ms: 3_000,
        ..KafkaSettings::new(cluster.bootstrap_servers(), &topic)
    };
    cluster.request_errors(kind, answers);
    let publisher = KafkaPublisher::new(&settings).unwrap();
    (cluster, publisher, KafkaTopic::new(&settings.brokers, &topic))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_will_know_no_producer_still_takes_events() {
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    let (_cluster, publisher, topic) = answering(RDKafkaApiKey::InitProducerId, &[refusal]);
    let event = builders::event_of(builders::fresh());
    publisher.publish(std::slice::from_ref(&event)).await.remove(0).unwrap();
    assert_eq!(topic.messages().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_broker_says_it_has_an_event_already_is_no_success() {
    let claim = RDKafkaRespErr::RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER;
    let (_cluster, publisher, topic) = answering(RDKafkaApiKey::Produce, &[claim]);
    let event = builders::event_of(builders::fresh());

    let answers = publisher.publish(std::slice::from_ref(&event)).await;
    let [Err(error)] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(matches!(error, PublishError::Unavailable(_)), "{error:?}");
    assert!(!error.to_string().contains(&event.entity_id.to_string()), "{error}");

    wait_for("the event to be published", Duration::from_secs(30), async || {
        publisher.publish(std::slice::from_ref(&event)).await.remove(0)
    })
    .await;
    assert_eq!(topic.messages().await.len(), 1);
}
