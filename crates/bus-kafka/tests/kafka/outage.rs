//! Brokers that are gone or hang.

use std::time::{Duration, Instant};

use esoz_bus_kafka::{KafkaPublisher, KafkaSettings};
use esoz_events::{EventPublisher, PublishError, StatusChangeEvent, wire};
use esoz_test_servers::{Kafka, ReservedPort, raw::KafkaTopic};
use esoz_testkit::{builders, contract::Delivered, wait::wait_for};

use crate::support::topic_name;

const RECOVERY: Duration = Duration::from_mins(1);
/// How much later than the limit an answer may come: the publisher's grace and a busy machine.
const SLACK: Duration = Duration::from_secs(8);

fn settings(brokers: &str, topic: &str) -> KafkaSettings {
    KafkaSettings { delivery_timeout_ms: 2_000, ..KafkaSettings::new(brokers, topic) }
}

fn events(count: usize) -> Vec<StatusChangeEvent> {
    (0..count).map(|_| builders::event_of(builders::fresh())).collect()
}

/// Publishes while nobody is there: every event is refused in time, with a reason that tells nothing of its content.
async fn refused(publisher: &KafkaPublisher, events: &[StatusChangeEvent]) {
    let started = Instant::now();
    let answers = publisher.publish(events).await;
    let limit = Duration::from_secs(2) + SLACK;
    assert!(started.elapsed() < limit, "{:?}", started.elapsed());
    assert_eq!(answers.len(), events.len());
    for (event, answer) in events.iter().zip(answers) {
        let error = answer.unwrap_err();
        assert!(matches!(error, PublishError::Unavailable(_)), "{error:?}");
        let reason = error.to_string();
        assert!(!reason.contains(&event.entity_id.to_string()), "{reason}");
        assert!(reason.contains("MessageTimedOut"), "{reason}");
    }
}

/// Publishes again, as the relay does, what is not yet taken, until all is.
async fn published(publisher: &KafkaPublisher, events: &[StatusChangeEvent]) {
    let mut waiting = events.to_vec();
    wait_for("the events to be published", RECOVERY, async || {
        let answers = publisher.publish(&waiting).await;
        let mut taken = answers.iter().map(Result::is_ok);
        waiting.retain(|_| !taken.next().unwrap());
        waiting.is_empty().then_some(())
    })
    .await;
}

async fn assert_all_delivered(brokers: &str, topic: &str, events: &[StatusChangeEvent]) {
    let end = KafkaTopic::new(brokers, topic);
    let delivered = end.messages().await;
    for event in events {
        let body: serde_json::Value = serde_json::from_str(&wire::json(event)).unwrap();
        assert!(delivered.iter().any(|message| message.json == body), "{} is lost", event.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_from_the_start_is_an_answer_in_time() {
    let port = ReservedPort::new().unwrap();
    let publisher = KafkaPublisher::new(&settings(&port.address().to_string(), &topic_name())).unwrap();
    refused(&publisher, &events(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_delays_events_and_loses_none() {
    let server = Kafka::start().unwrap();
    let topic = topic_name();
    server.address().create_topic(&topic, 2).unwrap();
    let publisher = KafkaPublisher::new(&settings(server.brokers(), &topic)).unwrap();
    let (before, during) = (events(5), events(5));
    published(&publisher, &before).await;

    server.pause().unwrap();
    refused(&publisher, &during).await;
    server.resume().unwrap();

    published(&publisher, &during).await;
    assert_all_delivered(server.brokers(), &topic, &[before, during].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_killed_is_used_again_when_it_is_back() {
    let mut server = Kafka::start().unwrap();
    let topic = topic_name();
    server.create_topic(&topic, 2).unwrap();
    let publisher = KafkaPublisher::new(&settings(server.brokers(), &topic)).unwrap();
    published(&publisher, &events(5)).await;

    server.stop().unwrap();
    let during = events(5);
    refused(&publisher, &during).await;
    // It comes back empty, and knows nothing of this producer either.
    server.restart().unwrap();
    published(&publisher, &during).await;
    assert_all_delivered(server.brokers(), &topic, &during).await;
    publisher.ping().await.unwrap();
}
