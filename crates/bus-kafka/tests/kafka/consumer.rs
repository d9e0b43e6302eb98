//! The consumer: what it reads, and from where the next one goes on.

use std::time::Duration;

use esoz_bus_kafka::{BusError, KafkaConsumer, KafkaPublisher, KafkaSettings, Lag};
use esoz_events::{EventPublisher as _, StatusChangeEvent, wire};
use esoz_test_servers::{Kafka, shared};
use esoz_testkit::{builders, wait::wait_for};

use crate::patient;
use crate::support::topic_name;

/// A consumer that was killed is missed after 10 s.
const READ_WITHIN: Duration = Duration::from_mins(1);

/// A topic of a test's own, and events that were published to it.
async fn published(brokers: &str, number: usize) -> (KafkaSettings, Vec<StatusChangeEvent>) {
    let settings = patient(KafkaSettings::new(brokers, topic_name()));
    esoz_bus_kafka::ensure_topic(&settings, 3, 1).await.unwrap();
    let events = publish(&settings, number).await;
    (settings, events)
}

async fn publish(settings: &KafkaSettings, number: usize) -> Vec<StatusChangeEvent> {
    let events: Vec<_> = (0..number).map(|_| builders::event_of(builders::fresh())).collect();
    let publisher = KafkaPublisher::new(settings).unwrap();
    let mut waiting = events.clone();
    wait_for("the events to be published", READ_WITHIN, async || {
        let answers = publisher.publish(&waiting).await;
        let mut taken = answers.iter().map(Result::is_ok);
        waiting.retain(|_| !taken.next().unwrap());
        waiting.is_empty().then_some(())
    })
    .await;
    events
}

fn consumer(settings: &KafkaSettings) -> KafkaConsumer {
    KafkaConsumer::subscribe(settings, &settings.topic).unwrap()
}

/// Waits until the batch has so many messages, and gives their values in an order of their own.
async fn read(consumer: &KafkaConsumer, number: usize) -> Vec<String> {
    let mut values = wait_for("the messages", READ_WITHIN, async || {
        consumer.ready().await;
        let read = consumer.read(1_000).unwrap();
        if read.len() >= number { Ok(read) } else { Err(format!("{} are there", read.len())) }
    })
    .await
    .into_iter()
    .map(|message| String::from_utf8(message.payload).unwrap())
    .collect::<Vec<_>>();
    values.sort();
    values
}

fn values(events: &[StatusChangeEvent]) -> Vec<String> {
    let mut values: Vec<_> = events.iter().map(wire::json).collect();
    values.sort();
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_begins_at_the_beginning_and_the_next_consumer_after_what_was_processed() {
    let (settings, first) = published(shared::kafka().brokers(), 20).await;
    let consumer_of_first = consumer(&settings);
    assert_eq!(read(&consumer_of_first, 20).await, values(&first));
    assert_eq!(consumer_of_first.read(3).unwrap().len(), 20, "a batch stays until it is processed");
    consumer_of_first.mark_processed();
    assert_eq!(consumer_of_first.read(1_000).unwrap().len(), 0);
    consumer_of_first.close().await;

    let second = publish(&settings, 5).await;
    let consumer_of_second = consumer(&settings);
    assert_eq!(read(&consumer_of_second, 5).await, values(&second));
    consumer_of_second.close().await;

    // That was never processed.
    let consumer_of_both = consumer(&settings);
    assert_eq!(read(&consumer_of_both, 5).await, values(&second));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_counts_what_a_new_group_has_not_processed_and_partitions_without_messages() {
    // One event: two of the three partitions stay empty.
    let (settings, first) = published(shared::kafka().brokers(), 1).await;
    let consumer = consumer(&settings);
    assert_eq!(consumer.lag(), Lag::default(), "nothing is known yet");
    assert_eq!(read(&consumer, 1).await, values(&first));
    has_lag(&consumer, Lag { partitions: 3, messages: 1 }).await;
    consumer.mark_processed();
    has_lag(&consumer, Lag { partitions: 3, messages: 0 }).await;
}

/// Waits until the consumer has that lag. The client library reports it to a consumer that reads.
async fn has_lag(consumer: &KafkaConsumer, expected: Lag) {
    wait_for("the lag", READ_WITHIN, async || {
        consumer.read(1_000).unwrap();
        let lag = consumer.lag();
        if lag == expected { Ok(()) } else { Err(format!("{lag:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_no_larger_than_asked_for() {
    let (settings, events) = published(shared::kafka().brokers(), 20).await;
    let consumer = consumer(&settings);
    let mut seen = Vec::new();
    wait_for("the messages", READ_WITHIN, async || {
        consumer.ready().await;
        let read = consumer.read(7).unwrap();
        assert!(read.len() <= 7, "{}", read.len());
        seen.extend(read.into_iter().map(|message| String::from_utf8(message.payload).unwrap()));
        consumer.mark_processed();
        (seen.len() >= 20).then_some(())
    })
    .await;
    seen.sort();
    assert_eq!(seen, values(&events));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_killed_is_read_again_when_it_is_back() {
    let mut server = Kafka::start().unwrap();
    let (settings, first) = published(server.brokers(), 5).await;
    let consumer = consumer(&settings);
    assert_eq!(read(&consumer, 5).await, values(&first));
    server.stop().unwrap();
    assert_eq!(consumer.read(1_000).unwrap().len(), 5, "an outage is no failure");
    consumer.mark_processed();
    server.restart().unwrap();
    let second = publish(&settings, 5).await;
    let seen = read(&consumer, 5).await;
    assert!(values(&second).iter().all(|value| seen.contains(value)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_be_is_refused() {
    let settings = KafkaSettings::new("localhost:9092", "topic");
    let Err(error) = KafkaConsumer::subscribe(&settings, "") else { panic!("a group without a name") };
    assert!(matches!(error, BusError::Settings { .. } | BusError::Refused { .. }), "{error:?}");
}
