//! X04 and X07: several servers expire dispenses at once; `esoz expire`.

use esoz_device_dispense::{Dispense, DispenseStatus};
use esoz_testkit::wait::wait_for;
use esoz_tests::process::{Process, esoz};
use esoz_tests::{DEADLINE, StopFixture, TestApp, TestStores, on_every_store};

use crate::kill::onlooker;
use crate::{environment, with};

const REPLICAS: usize = 3;
const OVERDUE: usize = 1_000;

/// The environment of servers on which dispenses expire after a day.
fn expiring(stores: &TestStores) -> Vec<(String, String)> {
    let variables = with(environment(stores), "ESOZ_DEVICE_DISPENSE__LIFETIME_S", "86400");
    let variables = with(variables, "ESOZ_DEVICE_DISPENSE__EXPIRE_EVERY_S", "1");
    with(variables, "ESOZ_DEVICE_DISPENSE__SYSTEM_USER_ID", "5f9a0c1e-7a63-4a51-8a5e-3f7d0c2b1a90")
}

/// Loads dispenses that were recorded years ago.
async fn load(app: &TestApp, count: usize) -> Vec<Dispense> {
    let fixture = StopFixture::new(app);
    let old = || fixture.another(app).field("inserted_at", "2020-01-01T00:00:00.000Z".into()).build();
    let dispenses: Vec<Dispense> = (0..count).map(|_| old()).collect();
    app.stores.dispense_registry.put_dispenses(&dispenses).await.unwrap();
    dispenses
}

async fn statuses(app: &TestApp, dispenses: &[Dispense]) -> Vec<DispenseStatus> {
    let mut statuses = Vec::new();
    for dispense in dispenses {
        let found = app.stores.dispenses.find(dispense.id).await.unwrap().unwrap();
        statuses.push(found.dispense.unwrap().status);
    }
    statuses
}

on_every_store! {
    async fn x04_three_replicas_expire_each_dispense_once(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = expiring(&stores);
        let app = onlooker(kind, stores).await;
        let dispenses = load(&app, OVERDUE).await;
        let servers: Vec<(Process, String)> = (0..REPLICAS).map(|_| Process::serve(&variables)).collect();
        let messages = wait_for("all events", DEADLINE, async || {
            let messages = app.delivered().messages().await;
            if messages.len() >= OVERDUE { Ok(messages) } else { Err(messages.len().to_string()) }
        })
        .await;
        for (server, _) in &servers {
            server.terminate();
        }
        for (mut server, _) in servers {
            assert!(server.wait().success());
        }
        let mut keys: Vec<&str> = messages.iter().map(|message| message.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((keys.len(), app.delivered().messages().await.len()), (OVERDUE, OVERDUE));
        assert!(statuses(&app, &dispenses).await.iter().all(|status| *status == DispenseStatus::Unknown));
    }

    async fn x07_by_hand_and_not_at_all(kind) {
        let stores = TestStores::fresh(kind).await;
        let (off, on) = (environment(&stores), expiring(&stores));
        let app = onlooker(kind, stores).await;
        let dispenses = load(&app, 3).await;
        let in_progress = [DispenseStatus::InProgress; 3];
        esoz(&off, &["expire"]).assert_failure("`device_dispense.lifetime_s` is 0: device dispenses do not expire");
        assert_eq!(statuses(&app, &dispenses).await, in_progress);
        let dry = esoz(&on, &["expire", "--dry-run"]);
        assert_eq!(dry.assert_success().stdout, "3 overdue dispenses would expire\n");
        assert_eq!(statuses(&app, &dispenses).await, in_progress);
        for expired in [3, 0] {
            let done = esoz(&on, &["expire"]);
            assert_eq!(done.assert_success().stdout, format!("{expired} overdue dispenses expired\n"));
        }
        assert_eq!(statuses(&app, &dispenses).await, [DispenseStatus::Unknown; 3]);

        let [unreadable] = load(&app, 1).await.try_into().unwrap();
        app.raw().set_field(unreadable.id, "subject", 7.into()).await;
        let failed = esoz(&on, &["expire"]);
        failed.assert_failure("1 overdue dispenses were not expired; correct their documents");
        assert!(failed.stderr.contains(&unreadable.id.to_string()), "{}", failed.stderr);
    }
}
