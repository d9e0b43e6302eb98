//! An operator finds the cause of a stopped MongoDB from readiness, one metric and one line of the log.

use esoz_test_servers::{MongoDb, shared};
use esoz_testkit::wait::wait_for;
use esoz_tests::process::Process;
use esoz_tests::{Addresses, DEADLINE, Scrape, TestStores};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_mongodb_is_named_by_readiness_one_metric_and_one_line_of_the_log() {
    let mut mongodb = MongoDb::start().unwrap();
    let postgres = shared::postgres();
    let postgres_url = &postgres.create_database().unwrap();
    let servers = Addresses::new(postgres, postgres_url, mongodb.uri(), shared::kafka().brokers());
    let stores = TestStores::on(&servers).await;
    let mut variables = stores.variables().to_vec();
    for (name, value) in [
        ("ESOZ_PATIENT__KEY", esoz_tests::PATIENT_KEY),
        ("ESOZ_METRICS__BIND", "127.0.0.1:0"),
        ("ESOZ_LOG__FORMAT", "json"),
        ("ESOZ_MONGODB__SERVER_SELECTION_TIMEOUT_MS", "500"),
    ] {
        variables.push((name.to_owned(), value.to_owned()));
    }
    let (server, base) = Process::serve(&variables);
    let metrics = &server.metrics_url();
    let up = async |component: &str| {
        let scrape = Scrape::read(&get(metrics).await.1);
        scrape.sum("esoz_component_up", &[("component", component)])
    };
    wait_for("everything up", DEADLINE, async || {
        let is_up = up("mongodb").await == Some(1.0) && up("postgresql").await == Some(1.0);
        if is_up { Ok(()) } else { Err(get(metrics).await.1) }
    })
    .await;

    mongodb.stop().unwrap();
    wait_for("mongodb down in the metrics", DEADLINE, async || {
        (up("mongodb").await == Some(0.0)).then_some(())
    })
    .await;
    assert_eq!(up("postgresql").await, Some(1.0), "only what is down is down");
    let (status, ready) = get(&format!("{base}/health/ready")).await;
    assert_eq!(status, 503);
    assert!(ready.contains("Not ready: mongodb is down since "), "{ready}");
    let told = server.wait_for_log("\"is down\"");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((told["level"].as_str(), told["name"].as_str()), (Some("ERROR"), Some("mongodb")), "{told}");
    let lines = server.stderr();
    assert_eq!(lines.iter().filter(|line| line.contains("\"is down\"")).count(), 1, "{}", lines.join("\n"));
    // What waits in the outbox is not known any more, and no number pretends that it is.
    let scrape = wait_for("an outbox that cannot be looked at", DEADLINE, async || {
        let scrape = Scrape::read(&get(metrics).await.1);
        if scrape.sum("esoz_outbox_up", &[]) == Some(0.0) { Ok(scrape) } else { Err(scrape.text) }
    })
    .await;
    assert!(scrape.sum("esoz_outbox_events", &[]).unwrap().is_nan());
    assert!(scrape.sum("esoz_outbox_oldest_age_seconds", &[]).unwrap().is_nan());
}

async fn get(url: &str) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
