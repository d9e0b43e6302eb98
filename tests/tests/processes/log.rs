//! A reader of the log who stalls holds up nothing but the log. An outage fills no log.

use std::time::Duration;

use esoz_test_servers::Kafka;
use esoz_testkit::wait::wait_for;
use esoz_tests::process::Process;
use esoz_tests::{DEADLINE, Kind, Scrape, StopFixture, TestStores, client};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::Value;

use crate::kill::{delivered, onlooker};
use crate::{environment, with};

/// How many requests are sent at once.
const AT_ONCE: usize = 32;
/// The size of a pipe.
const PIPE_BYTES: usize = 64 << 10;

/// Starts a server with metrics: its process, its address, and that of its metrics.
fn serve(variables: Vec<(String, String)>) -> (Process, String, String) {
    let (server, base) = Process::serve(&with(variables, "ESOZ_METRICS__BIND", "127.0.0.1:0"));
    let metrics = server.metrics_url();
    (server, base, metrics)
}

/// Sends requests that the log has a line for.
async fn send(client: &reqwest::Client, base: &str, requests: usize) {
    let url = format!("{base}/nothing");
    for _ in 0..requests.div_ceil(AT_ONCE) {
        for answer in join_all((0..AT_ONCE).map(|_| client.get(&url).send())).await {
            assert_eq!(answer.unwrap().status(), 404);
        }
    }
}

async fn sum(client: &reqwest::Client, metrics: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let text = client.get(metrics).send().await.unwrap().text().await.unwrap();
    Scrape::read(&text).sum(name, labels).unwrap()
}

async fn dropped(client: &reqwest::Client, metrics: &str) -> f64 {
    sum(client, metrics, "esoz_log_lines_dropped_total", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_log_reader_who_stalls_then_requests_are_served_and_it_reads_how_many_lines_were_dropped() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let (server, base, metrics) = serve(environment(&stores));
    let client = client();
    assert!(dropped(&client, &metrics).await.abs() < f64::EPSILON);

    let stalled = server.stall_log();
    wait_for("dropped lines", 4 * DEADLINE, async || {
        send(&client, &base, 500).await;
        (dropped(&client, &metrics).await > 0.0).then_some(())
    })
    .await;
    let health = client.get(format!("{base}/health/live")).timeout(Duration::from_secs(5)).send().await;
    assert_eq!(health.unwrap().status(), 200);

    let in_all = dropped(&client, &metrics).await;
    drop(stalled);
    let line: Value = serde_json::from_str(&server.wait_for_log("log lines were dropped")).unwrap();
    assert_eq!((line["level"].as_str(), line["lines"].as_f64()), (Some("ERROR"), Some(in_all)), "{line}");
    // The log goes on.
    send(&client, &base, 1).await;
    let lines = server.stderr().len();
    wait_for("another line", DEADLINE, async || {
        send(&client, &base, 1).await;
        (server.stderr().len() > lines).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_log_reader_who_stalls_when_the_server_is_terminated_then_it_exits_0() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let (mut server, base, _) = serve(environment(&stores));
    let lines = server.stderr();
    let _stalled = server.stall_log();
    // More than the pipe takes.
    let line_bytes = lines.iter().map(String::len).min().unwrap();
    send(&client(), &base, 2 * PIPE_BYTES / line_bytes).await;
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
}

/// The lines of its log that are not about a request.
fn lines_beside_requests(server: &Process) -> Vec<Value> {
    let lines = server.stderr().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
    lines.filter(|line| line["request_id"].is_null()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_kafka_outage_then_the_log_has_one_line_when_it_begins_and_one_when_it_ends() {
    let mut broker = Kafka::start().unwrap();
    let stores = TestStores::sqlite_with_kafka(broker.brokers());
    let mut variables = environment(&stores);
    for (name, value) in
        [("ESOZ_KAFKA__DELIVERY_TIMEOUT_MS", "300"), ("ESOZ_EVENTS__BACKOFF_LONGEST_MS", "300")]
    {
        variables.push((name.to_owned(), value.to_owned()));
    }
    let app = onlooker(Kind::Sqlite, stores).await;
    let fixture = StopFixture::load(&app).await;
    let (server, base, metrics) = serve(variables);
    let is_up = |name: &str, times: usize| {
        let lines = lines_beside_requests(&server);
        let about_it = |line: &&Value| line["name"] == name && line["message"] == "is up";
        lines.iter().filter(about_it).count() == times
    };
    let both_are_up = async || (is_up("kafka", 1) && is_up("sqlite", 1)).then_some(());
    wait_for("Kafka and the store", DEADLINE, both_are_up).await;

    broker.stop().unwrap();
    let before = lines_beside_requests(&server).len();
    let stop = app.request_at(&base, Method::PATCH, &fixture.path()).token(&fixture.token);
    assert_eq!(stop.send().await.status, 200);
    // Longer than the health checks and the relay's patience with them.
    let client = client();
    wait_for("failed deliveries", DEADLINE, async || {
        let undelivered = [("outcome", "undelivered")];
        let failed = sum(&client, &metrics, "esoz_relay_events_total", &undelivered).await;
        if failed >= 8.0 { Ok(()) } else { Err(failed) }
    })
    .await;
    let lines = lines_beside_requests(&server).split_off(before);
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!((line["name"].as_str(), line["message"].as_str()), (Some("kafka"), Some("is down")), "{line}");
    let cause = line["error"].as_str().unwrap();
    assert!(cause.contains(broker.brokers()), "the cause is not told: {cause}");

    broker.restart().unwrap();
    assert_eq!(delivered(&app, &fixture).await, 1);
    wait_for("Kafka again", DEADLINE, async || is_up("kafka", 2).then_some(())).await;
    let lines = lines_beside_requests(&server).split_off(before);
    let [_, line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert!(line["down_seconds"].as_u64().is_some(), "{line}");
}
