//! The starters, on real servers: used, killed, restarted, paused, and orphaned.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use bson::{Document, doc};
use esoz_test_servers::{Durability, Kafka, MongoDb, MongoSet, Postgres, shared};
use esoz_testkit::wait::wait_for_blocking;

const LONG: Duration = Duration::from_mins(1);

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z'))
}

#[test]
fn postgres_keeps_its_data_through_a_kill() {
    let mut server = Postgres::start(Durability::On).unwrap();
    let url = server.create_database().unwrap();
    let address = server.address().clone();
    address.query_in(&url, "create table t as select 42 as answer").unwrap();
    assert_eq!(address.query("show fsync").unwrap(), "on");
    let (pid, port, dir) = (server.pid().unwrap(), server.port(), server.log_path().to_owned());

    server.stop().unwrap();
    assert!(!runs(pid));
    server.pid().unwrap_err();
    address.query("select 1").unwrap_err();

    server.restart().unwrap();
    assert_eq!(server.port(), port);
    assert_ne!(server.pid().unwrap(), pid);
    assert_eq!(address.query_in(&url, "select answer from t").unwrap(), "42");

    address.drop_database(&url).unwrap();
    address.query_in(&url, "select 1").unwrap_err();
    let pid = server.pid().unwrap();
    drop(server);
    assert!(!runs(pid));
    assert!(!dir.parent().unwrap().exists(), "the folder is removed");
}

#[test]
fn postgres_answers_nothing_while_paused() {
    let server = Postgres::start(Durability::Off).unwrap();
    let address = server.address().clone();
    assert_eq!(address.query("show fsync").unwrap(), "off");
    server.pause().unwrap();
    let asked = std::thread::spawn(move || address.query("select 7"));
    // The kernel takes the connection; nobody answers on it.
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap(); // "do you speak TLS?"
    stream.read_exact(&mut [0]).unwrap_err();
    assert!(!asked.is_finished());
    server.resume().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert_eq!(asked.join().unwrap().unwrap(), "7");
}

#[test]
fn a_paused_postgres_with_clients_can_be_killed_and_restarted() {
    let mut server = Postgres::start(Durability::Off).unwrap();
    let address = server.address().clone();
    let busy = std::thread::spawn(move || address.query("select pg_sleep(600)"));
    let address = server.address().clone();
    wait_for_blocking("the sleeper", LONG, || {
        let count =
            address.query("select count(*) from pg_stat_activity where query like 'select pg_sleep%'");
        (count.unwrap() == "1").then_some(())
    });
    server.pause().unwrap();
    server.restart().unwrap();
    busy.join().unwrap().unwrap_err();
    assert_eq!(address.query("select 1").unwrap(), "1");
}

#[tokio::test]
async fn mongodb_keeps_its_data_through_a_kill() {
    let mut server = MongoDb::start().unwrap();
    let hello = server.command(doc! { "hello": 1 }).unwrap();
    assert!(hello.get_bool("isWritablePrimary").unwrap());
    assert_eq!(hello.get_str("setName").unwrap(), "esoz");

    let client = mongodb::Client::with_uri_str(server.uri()).await.unwrap();
    let collection = client.database("t").collection::<Document>("t");
    // A transaction: what a replica set has and a lone server has not.
    let mut session = client.start_session().await.unwrap();
    client.database("t").create_collection("t").await.unwrap();
    session.start_transaction().await.unwrap();
    collection.insert_one(doc! { "_id": 1, "answer": 42 }).session(&mut session).await.unwrap();
    session.commit_transaction().await.unwrap();

    let pid = server.pid().unwrap();
    server.stop().unwrap();
    assert!(!runs(pid));
    server.restart().unwrap();
    let found = collection.find_one(doc! { "_id": 1 }).await.unwrap().unwrap();
    assert_eq!(found.get_i32("answer").unwrap(), 42);
}

#[tokio::test]
async fn a_replica_set_goes_on_without_its_primary() {
    let mut set = MongoSet::start(3).unwrap();
    let client = mongodb::Client::with_uri_str(set.uri()).await.unwrap();
    let collection = client.database("t").collection::<Document>("t");
    collection.insert_one(doc! { "_id": 1, "answer": 42 }).await.unwrap();

    let first = set.primary().unwrap();
    set.kill(first).unwrap();
    let second = set.primary().unwrap();
    assert_ne!(first, second);
    let found = collection.find_one(doc! { "_id": 1 }).await.unwrap().unwrap();
    assert_eq!(found.get_i32("answer").unwrap(), 42);

    set.restart(first).unwrap();
    set.step_down(second).unwrap();
    wait_for_blocking("another primary", LONG, || (set.primary().unwrap() != second).then_some(()));
    collection.insert_one(doc! { "_id": 2 }).await.unwrap();
}

#[test]
fn shared_servers_answer() {
    let postgres = shared::postgres();
    let url = postgres.create_database().unwrap();
    assert_eq!(postgres.query_in(&url, "select 1").unwrap(), "1");
    postgres.drop_database(&url).unwrap();
    assert!(postgres.version().split('.').next().unwrap().parse::<u32>().unwrap() >= 15);

    assert!(shared::mongodb().uri().starts_with("mongodb://"));
    assert!(shared::mongodb().version().split('.').next().unwrap().parse::<u32>().unwrap() >= 6);

    let topic = format!("shared_{}", std::process::id());
    shared::kafka().create_topic(&topic, 1).unwrap();
    let again = shared::kafka().create_topic(&topic, 1).unwrap_err().to_string();
    assert!(again.contains("exists already"), "{again}");
}

#[test]
fn servers_die_with_their_owner_even_when_it_is_killed() {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_esoz-test-servers"))
        .args(["postgres", "mongodb", "kafka"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pids = Vec::new();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    for kind in ["postgres", "mongodb", "kafka"] {
        let line = lines.next().unwrap().unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[0], kind);
        pids.push(words[1].parse::<u32>().unwrap());
    }
    let folders: Vec<_> =
        pids.iter().map(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap()).collect();
    // Postgres changes to its data folder, inside the server's.
    assert!(folders.iter().all(|folder| folder.to_string_lossy().contains("esoz-test-")), "{folders:?}");
    // Some of them paused: a process that stands still must die as well.
    kill("-STOP", pids[0]);
    kill("-KILL", owner.id());
    owner.wait().unwrap();
    wait_for_blocking("the servers to be gone", LONG, || {
        let left: Vec<&u32> = pids.iter().filter(|pid| runs(**pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("still there: {left:?}")) }
    });
    wait_for_blocking("their folders to be gone", LONG, || {
        let left: Vec<_> = folders.iter().filter(|folder| Path::new(folder).exists()).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("still there: {left:?}")) }
    });
}

fn kill(signal: &str, pid: u32) {
    // The shell's own `kill`, which every machine has.
    let status = Command::new("sh").args(["-c", "kill $0 $1", signal, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

mod kafka {
    use futures_util::StreamExt;
    use rdkafka::{
        ClientConfig, Message, Offset, TopicPartitionList,
        consumer::{CommitMode, Consumer, StreamConsumer},
        producer::{FutureProducer, FutureRecord, Producer},
    };

    use super::{Kafka, LONG, runs};
    use esoz_test_servers::{ReservedPort, proxy::Proxy};
    use esoz_testkit::wait::wait_for;

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
        wait_for("the message to be under way", LONG, async || {
            (producer.in_flight_count() > 0).then_some(())
        })
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
}
