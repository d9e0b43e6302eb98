//! `/health`: what a probe and an operator see.

use esoz_test_servers::{MongoDb, ReservedPort};
use esoz_testkit::wait::wait_for;
use esoz_tests::{Answer, DEADLINE, Documents, Kind, TestApp, on_every_store};
use reqwest::Method;
use serde_json::json;

use crate::outages::app_on;

async fn ask(app: &TestApp, path: &str) -> Answer {
    app.request(Method::GET, path).send().await
}

/// Waits until readiness is answered with that status.
pub(crate) async fn until_ready_is(app: &TestApp, status: u16) -> Answer {
    wait_for(&format!("{status} for readiness"), DEADLINE, async || {
        let answer = ask(app, "/health/ready").await;
        if answer.status == status { Ok(answer) } else { Err(answer.body.to_string()) }
    })
    .await
}

on_every_store! {
    async fn a_server_with_everything_is_live_and_ready(kind) {
        let app = TestApp::new(kind).await;
        ask(&app, "/health/live").await.assert_data(&json!({"live": true}));
        let check = |name, needed_by: &[&str]| {
            let needed = !needed_by.is_empty();
            json!({"name": name, "state": "up", "since": crate::NOW_MILLIS, "needed": needed, "needed_by": needed_by})
        };
        let all = ["device_dispenses", "contract_divisions", "events"];
        let expected = match kind {
            Kind::Sqlite => json!([check("sqlite", &all)]),
            Kind::Servers => {
                json!([
                    check("postgresql", &all),
                    check("mongodb", &all[..1]),
                    check("kafka", &[]),
                    check("postgresql_indexes", &[]),
                    check("mongodb_indexes", &[]),
                ])
            }
        };
        wait_for("everything up", DEADLINE, async || {
            let answer = ask(&app, "/health/ready").await;
            if answer.body["data"]["checks"] == expected { Ok(()) } else { Err(answer.body.to_string()) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_signed_documents_need_is_told_with_the_methods_that_need_it_and_keeps_no_server_from_being_ready()
 {
    let nowhere = ReservedPort::new().unwrap();
    let documents = Documents::new();
    let setup = documents.setup(Kind::Sqlite).variable("ESOZ_SIGNATURE__VERIFIER", "service");
    let app = setup.variable("ESOZ_SIGNATURE__URL", &format!("http://{}/", nowhere.address())).start().await;
    let needed_by = json!(["complete_device_dispense", "mark_device_dispense_in_error"]);
    wait_for("a verifier that is down", DEADLINE, async || {
        let answer = until_ready_is(&app, 200).await;
        let checks = answer.body["data"]["checks"].as_array().unwrap().clone();
        let state = |name: &str| {
            let check = checks.iter().find(|check| check["name"] == name).unwrap();
            assert_eq!((&check["needed"], &check["needed_by"]), (&json!(false), &needed_by), "{check}");
            check["state"].clone()
        };
        let states = (state("signature_verifier"), state("media_storage"));
        if states == (json!("down"), json!("up")) { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_mongodb_is_named_and_its_return_is_noticed() {
    let mut mongodb = MongoDb::start().unwrap();
    let app = app_on(None, Some(&mongodb), None).await;
    until_ready_is(&app, 200).await;
    mongodb.stop().unwrap();
    let answer = until_ready_is(&app, 503).await;
    let told = answer.body["error"]["message"].as_str().unwrap();
    assert!(told.starts_with("Not ready: mongodb is down since "), "{told}");
    assert!(told.contains("postgresql is up"), "{told}");
    ask(&app, "/health/live").await.assert_data(&json!({"live": true}));
    mongodb.restart().unwrap();
    until_ready_is(&app, 200).await;
}
