//! Events that cannot be delivered are in nobody's way, are told of, and are the operator's to retry or drop.

use std::collections::BTreeSet;

use bson::doc;
use esoz_device_dispense::{Dispense, DispenseStatus};
use esoz_kernel::Clock as _;
use esoz_kernel::system::SystemClock;
use esoz_testkit::builders::change_of;
use esoz_testkit::wait::wait_for;
use esoz_tests::process::{Process, esoz};
use esoz_tests::{DEADLINE, Scrape, StopFixture, TestApp, TestStores, on_every_store};
use reqwest::Method;
use serde_json::Value;

use crate::kill::{delivered, onlooker};
use crate::{environment, with};

/// As many as one round takes.
const POISONED: usize = 3;

/// Changes the dispense past every server, so that its event waits.
async fn changed(app: &TestApp, dispense: &Dispense, to: DispenseStatus) {
    let change = change_of(dispense, to, SystemClock.now());
    app.stores.dispenses.commit(&change).await.unwrap();
}

/// Makes the waiting event of that dispense one that cannot be delivered: on SQLite one that cannot be read, else one that the broker finds too large.
async fn poison(app: &TestApp, dispense: &Dispense) {
    match (app.test_stores.file(), app.test_stores.documents()) {
        (Some(file), _) => {
            let sql = format!(
                "UPDATE outbox SET request_id = ' ' || request_id WHERE entity_id = '{}'",
                dispense.id
            );
            file.execute(&sql);
        }
        (_, Some(documents)) => {
            documents
                .set(dispense.id, doc! { "esoz_outbox.events.0.new_status": "x".repeat(1_200_000) })
                .await;
        }
        _ => unreachable!("no store"),
    }
}

async fn mend(app: &TestApp, dispense: &Dispense) {
    match (app.test_stores.file(), app.test_stores.documents()) {
        (Some(file), _) => {
            file.execute(&format!(
                "UPDATE outbox SET request_id = trim(request_id) WHERE entity_id = '{}'",
                dispense.id
            ));
        }
        (_, Some(documents)) => {
            documents.set(dispense.id, doc! { "esoz_outbox.events.0.new_status": "stopped" }).await;
        }
        _ => unreachable!("no store"),
    }
}

/// What arrived about that dispense, in its order.
async fn arrived(app: &TestApp, dispense: &Dispense) -> Vec<String> {
    let key = dispense.id.to_string();
    let messages = app.delivered().messages().await.into_iter().filter(|message| message.key == key);
    messages
        .map(|message| message.json["properties"]["status"]["new_value"].as_str().unwrap().to_owned())
        .collect()
}

async fn until_arrived(app: &TestApp, dispense: &Dispense, expected: &[&str]) {
    wait_for("the events to arrive", DEADLINE, async || {
        let arrived = arrived(app, dispense).await;
        if arrived == expected { Ok(()) } else { Err(format!("{arrived:?}")) }
    })
    .await;
}

async fn text(url: &str) -> String {
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

on_every_store! {
    async fn what_cannot_be_delivered_is_set_aside_and_everything_else_arrives(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = with(environment(&stores), "ESOZ_EVENTS__MAX_ENTITIES", &POISONED.to_string());
        let variables = with(variables, "ESOZ_METRICS__BIND", "127.0.0.1:0");
        let variables = with(variables, "ESOZ_LOG__FORMAT", "json");
        let app = onlooker(kind, stores).await;
        let mut poisoned = Vec::new();
        for _ in 0..POISONED {
            let dispense = StopFixture::load(&app).await.dispense;
            changed(&app, &dispense, DispenseStatus::Stopped).await;
            poison(&app, &dispense).await;
            poisoned.push(dispense);
        }

        let (server, base) = Process::serve(&variables);
        let metrics = server.metrics_url();
        for _ in 0..5 {
            let fixture = StopFixture::load(&app).await;
            let request = app.request_at(&base, Method::PATCH, &fixture.path()).token(&fixture.token);
            assert_eq!(request.send().await.status, 200);
            assert_eq!(delivered(&app, &fixture).await, 1);
        }

        // Each was set aside once, and nothing backed off for its sake. What the store has is counted a moment later.
        wait_for("all to be counted", DEADLINE, async || {
            let scrape = Scrape::read(&text(&metrics).await);
            let events = |outcome| scrape.sum("esoz_relay_events_total", &[("outcome", outcome)]);
            let set_aside = scrape.sum("esoz_outbox_set_aside_events", &[]);
            let counted = [set_aside, events("set_aside"), events("delivered"), events("undelivered")];
            if counted == [3.0, 3.0, 5.0, 0.0].map(Some) { Ok(()) } else { Err(format!("{counted:?}")) }
        })
        .await;
        wait_for("readiness to tell", DEADLINE, async || {
            let ready = text(&format!("{base}/health/ready")).await;
            if ready.contains("\"set_aside_events\":3") { Ok(()) } else { Err(ready) }
        })
        .await;
        let told = wait_for("a line about each", DEADLINE, async || {
            let lines = server.stderr().into_iter().filter(|line| line.contains("was set aside"));
            let told: Vec<Value> = lines.map(|line| serde_json::from_str(&line).unwrap()).collect();
            if told.len() >= POISONED { Ok(told) } else { Err(format!("{told:?}")) }
        })
        .await;
        let ids = |values: &[Value]| -> BTreeSet<String> {
            values.iter().map(|value| value["entity_id"].as_str().unwrap().to_owned()).collect()
        };
        let expected: BTreeSet<String> = poisoned.iter().map(|dispense| dispense.id.to_string()).collect();
        assert_eq!((told.len(), ids(&told)), (POISONED, expected.clone()));
        assert!(!server.stderr().concat().contains("xxxx"), "the log has the content of an event");

        let listed = esoz(&variables, &["events", "--failed"]);
        let listed: Vec<Value> =
            listed.assert_success().stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((listed.len(), ids(&listed)), (POISONED, expected));
        assert_eq!(listed[0]["entity_type"], "DeviceDispense");
        let id_of = |dispense: &Dispense| {
            let of = listed.iter().find(|event| event["entity_id"] == dispense.id.to_string()).unwrap();
            of["id"].as_str().unwrap().to_owned()
        };

        // What comes later waits behind it, until it is retried or dropped.
        let (retried, dropped) = (&poisoned[0], &poisoned[1]);
        for dispense in [retried, dropped] {
            let stopped = Dispense { status: DispenseStatus::Stopped, ..dispense.clone() };
            changed(&app, &stopped, DispenseStatus::EnteredInError).await;
        }
        mend(&app, retried).await;
        esoz(&variables, &["events", "retry", &id_of(retried)]).assert_success();
        until_arrived(&app, retried, &["stopped", "entered_in_error"]).await;
        assert_eq!(arrived(&app, dropped).await, [""; 0]);
        esoz(&variables, &["events", "drop", &id_of(dropped)]).assert_success();
        until_arrived(&app, dropped, &["entered_in_error"]).await;
        esoz(&variables, &["events", "drop", &id_of(dropped)]).assert_failure("no event that was set aside has the id");
        esoz(&variables, &["events", "retry", "none"]).assert_failure("no event that was set aside has the id none");

        // A retry in vain sets it aside again.
        esoz(&variables, &["events", "retry", "--all"]).assert_success();
        wait_for("the last to be set aside again", DEADLINE, async || {
            let listed = esoz(&variables, &["events", "--failed"]).stdout;
            if listed.lines().count() == 1 { Ok(()) } else { Err(listed) }
        })
        .await;
        drop(server);
    }
}
