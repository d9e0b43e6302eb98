//! Events that Kafka refuses for good, and that they take no others with them.

use esoz_bus_kafka::{KafkaPublisher, KafkaSettings};
use esoz_events::{EventPublisher as _, PublishError, StatusChangeEvent};
use esoz_test_servers::shared;
use esoz_testkit::{builders, contract::Delivered as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::{forgetful::answering, patient, support::topic_name};

const TOO_LARGE: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;

fn event() -> StatusChangeEvent {
    builders::event_of(builders::fresh())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_is_refused_for_good_and_alone() {
    let topic = topic_name();
    let settings = patient(KafkaSettings::new(shared::kafka().brokers(), &topic));
    esoz_bus_kafka::ensure_topic(&settings, 1, 1).await.unwrap();
    let publisher = KafkaPublisher::new(&settings).unwrap();
    let large = StatusChangeEvent { new_status: "x".repeat(1_200_000), ..event() };
    let answers = publisher.publish(&[event(), large, event()]).await;
    let [Ok(()), Err(PublishError::Refused(reason)), Ok(())] = answers.as_slice() else {
        panic!("{answers:?}")
    };
    assert!(reason.contains("MessageSizeTooLarge") && reason.len() < 200, "{reason}");
}

/// A broker takes a batch of messages, or refuses it, as a whole: what was in the batch may well be small.
#[tokio::test(flavor = "multi_thread")]
async fn events_in_a_batch_that_is_refused_are_published_again_alone() {
    let (_cluster, publisher, topic) = answering(RDKafkaApiKey::Produce, &[TOO_LARGE]);
    let events: Vec<_> = (0..5).map(|_| event()).collect();
    let answers = publisher.publish(&events).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(topic.messages().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_broker_refuses_alone_is_refused_for_good() {
    let (_cluster, publisher, _topic) = answering(RDKafkaApiKey::Produce, &[TOO_LARGE]);
    let answers = publisher.publish(&[event()]).await;
    assert!(matches!(answers.as_slice(), [Err(PublishError::Refused(_))]), "{answers:?}");
}
