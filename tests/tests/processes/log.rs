//! A reader of the log who stalls holds up nothing but the log.

use std::time::Duration;

use esoz_testkit::wait::wait_for;
use esoz_tests::process::Process;
use esoz_tests::{DEADLINE, Kind, Scrape, TestStores};
use futures_util::future::join_all;
use serde_json::Value;

use crate::{environment, with};

/// How many requests are sent at once.
const AT_ONCE: usize = 32;
/// The size of a pipe.
const PIPE_BYTES: usize = 64 << 10;

/// Starts a server with metrics: its process, its address, and that of its metrics.
fn serve(variables: Vec<(String, String)>) -> (Process, String, String) {
    let (server, base) = Process::serve(&with(variables, "ESOZ_METRICS__BIND", "127.0.0.1:0"));
    let line: Value = serde_json::from_str(&server.wait_for_log("metrics are at http://")).unwrap();
    let metrics = line["message"].as_str().unwrap().trim_start_matches("metrics are at ").to_owned();
    (server, base, metrics)
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(DEADLINE).build().unwrap()
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
