//! A producer that is out of order for good.

use std::time::Duration;

use esoz_bus_kafka::{KafkaPublisher, KafkaSettings};
use esoz_events::EventPublisher;
use esoz_testkit::{builders, contract::Delivered, wait::wait_for};
use rdkafka::{
    mocking::MockCluster,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use esoz_testkit::raw::KafkaTopic;

use crate::support::topic_name;

#[tokio::test(flavor = "multi_thread")]
async fn after_a_fatal_error_a_new_producer_takes_over() {
    let cluster = MockCluster::new(1).unwrap();
    let topic = topic_name();
    cluster.create_topic(&topic, 1, 1).unwrap();
    let settings = KafkaSettings {
        delivery_timeout_ms: 3_000,
        ..KafkaSettings::new(cluster.bootstrap_servers(), &topic)
    };
    // The answer to the first producer's first question: it may not be idempotent here. It never recovers from that.
    let refusal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED];
    cluster.request_errors(RDKafkaApiKey::InitProducerId, &refusal);
    let publisher = KafkaPublisher::new(&settings).unwrap();

    let event = builders::event_of(builders::fresh());
    let answers = publisher.publish(std::slice::from_ref(&event)).await;
    let [Err(error)] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(!error.reason.contains(&event.entity_id.to_string()), "{error}");

    wait_for("the event to be published", Duration::from_secs(30), async || {
        publisher.publish(std::slice::from_ref(&event)).await.remove(0)
    })
    .await;
    let delivered = KafkaTopic::new(&settings.brokers, &topic).messages().await;
    assert_eq!(delivered.len(), 1, "{delivered:?}");
}
