//! Kafka, killed and cut off.

use esoz_test_servers::{Kafka, ReservedPort, proxy::Proxy};
use esoz_testkit::wait::wait_for;
use futures_util::StreamExt;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer, StreamConsumer},
    producer::{FutureProducer, FutureRecord, Producer},
};

use super::{LONG, runs};

const TOPIC: &str = "events";

fn producer(brokers: &str) -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", "60000")
        .set("reconnect.backoff.max.ms", "200")
        .create()
        .unwrap()
}

async fn send(producer: &FutureProducer, text: &str) {
    let record = FutureRecord::to(TOPIC).key("k").payload(text);
    producer.send(record, LONG).await.map_err(|(error, _)| format!("{text}: {error}")).unwrap();
}

async fn queued(producer: &FutureProducer) {
    wait_for("the message to be under way", LONG, async || (producer.in_flight_count() > 0).then_some(()))
        .await;
}

fn consumer(brokers: &str, group: &str) -> StreamConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        // How long the broker waits for a reader that is gone before another may take its place.
        .set("session.timeout.ms", "6000")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap()
}

async fn read(brokers: &str, count: usize) -> Vec<String> {
    let consumer = consumer(brokers, "unused");
    let mut all = TopicPartitionList::new();
    all.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&all).unwrap();
    texts(&consumer, count).await
}

async fn texts(consumer: &StreamConsumer, count: usize) -> Vec<String> {
    let texts = consumer
        .stream()
        .take(count)
        .map(|message| String::from_utf8(message.unwrap().payload().unwrap().to_vec()).unwrap());
    tokio::time::timeout(LONG, texts.collect()).await.unwrap()
}

#[tokio::test]
async fn kafka_keeps_its_messages_through_a_kill() {
    let mut server = Kafka::start().unwrap();
    server.create_topic(TOPIC, 1).unwrap();
    let producer = producer(server.brokers());
    send(&producer, "one").await;
    send(&producer, "two").await;
    assert_eq!(read(server.brokers(), 2).await, ["one", "two"]);

    let pid = server.pid().unwrap();
    server.stop().unwrap();
    assert!(!runs(pid));
    // Sent while the broker is down: arrives when it is back, through the same producer.
    let (sent, ()) = tokio::join!(tokio::time::timeout(LONG, send(&producer, "three")), async {
        queued(&producer).await;
        server.restart().unwrap();
    });
    sent.unwrap();
    assert_eq!(read(server.brokers(), 3).await, ["one", "two", "three"]);
}

#[tokio::test]
async fn kafka_remembers_how_far_a_group_has_read() {
    let mut server = Kafka::start().unwrap();
    server.create_topic(TOPIC, 1).unwrap();
    let producer = producer(server.brokers());
    for text in ["one", "two"] {
        send(&producer, text).await;
    }
    let first = consumer(server.brokers(), "readers");
    first.subscribe(&[TOPIC]).unwrap();
    assert_eq!(texts(&first, 2).await, ["one", "two"]);
    first.commit_consumer_state(CommitMode::Sync).unwrap();
    drop(first);

    server.restart().unwrap();
    send(&producer, "three").await;
    let second = consumer(server.brokers(), "readers");
    second.subscribe(&[TOPIC]).unwrap();
    assert_eq!(texts(&second, 1).await, ["three"]);
}

#[tokio::test]
async fn kafka_behind_a_proxy_keeps_messages_through_an_outage() {
    let front = ReservedPort::new().unwrap();
    let server = Kafka::start_behind(front.number()).unwrap();
    let proxy = Proxy::start_at(front, format!("127.0.0.1:{}", server.port()).parse().unwrap()).unwrap();
    server.create_topic(TOPIC, 1).unwrap();
    let producer = producer(server.brokers());
    send(&producer, "one").await;
    proxy.cut();
    let (sent, ()) = tokio::join!(tokio::time::timeout(LONG, send(&producer, "two")), async {
        queued(&producer).await;
        proxy.heal();
    });
    sent.unwrap();
    assert_eq!(read(server.brokers(), 2).await, ["one", "two"]);
    assert!(proxy.traffic().accepted >= 2, "{:?}", proxy.traffic());
}
