//! X01 to X03, X05 to X07: dispenses that are in progress for too long expire.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use esoz_device_dispense::{
    DeviceDispenses, Dispense, DispenseStatus, ExpireDispenses, Overdue, OverdueFilter, Transition,
};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{Clock as _, Committed, DispenseId, StoreError, StoreErrorKind};
use esoz_testkit::doubles::{DeviceDispensesDouble, Double};
use esoz_testkit::wait::wait_for;
use esoz_tests::{DEADLINE, Kind, Setup, StopFixture, TestApp, on_every_store};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::rounds::ROUNDS;

const LIFETIME: Duration = Duration::from_hours(1);
const SYSTEM_USER: &str = "5f9a0c1e-7a63-4a51-8a5e-3f7d0c2b1a90";
fn expiring(kind: Kind) -> Setup {
    Setup::new(kind)
        .variable("ESOZ_DEVICE_DISPENSE__LIFETIME_S", "3600")
        .variable("ESOZ_DEVICE_DISPENSE__EXPIRE_EVERY_S", "1")
        .variable("ESOZ_DEVICE_DISPENSE__SYSTEM_USER_ID", SYSTEM_USER)
}

/// When a dispense was recorded that is older than the lifetime by so many milliseconds.
fn older_by(app: &TestApp, millis: i64) -> Value {
    let limit = app.clock.now().saturating_sub(LIFETIME);
    json!(rfc3339_millis(limit.saturating_sub(SignedDuration::from_millis(millis))))
}

async fn put(app: &TestApp, fixture: &StopFixture, older_by_millis: i64) -> Dispense {
    let at = older_by(app, older_by_millis);
    let dispense = fixture.another(app).field("inserted_at", at).build();
    app.put_dispense(&dispense).await;
    dispense
}

async fn stored(app: &TestApp, dispense: &Dispense) -> Dispense {
    app.stores.dispenses.find(dispense.id).await.unwrap().unwrap().dispense.unwrap()
}

async fn until_expired(app: &TestApp, dispense: &Dispense) -> Dispense {
    wait_for("the dispense to expire", DEADLINE, async || {
        let stored = stored(app, dispense).await;
        let is_expired = stored.status == DispenseStatus::Unknown;
        if is_expired { Ok(stored) } else { Err(stored.status.to_string()) }
    })
    .await
}

/// Waits for a whole pass that begins after now.
async fn until_next_pass(app: &TestApp, fixture: &StopFixture) {
    for _ in 0..2 {
        let next = put(app, fixture, 1).await;
        until_expired(app, &next).await;
    }
}

fn operation(app: &TestApp) -> ExpireDispenses {
    ExpireDispenses {
        dispenses: app.stores.dispenses.clone(),
        clock: app.clock.clone(),
        ids: Arc::new(esoz_kernel::system::RandomIds),
        lifetime: LIFETIME,
        system_user: SYSTEM_USER.parse().unwrap(),
    }
}

on_every_store! {
    async fn x01_older_than_the_lifetime_by_a_millisecond(kind) {
        let app = expiring(kind).start().await;
        let fixture = StopFixture::load(&app).await;
        let (exactly, younger) = (put(&app, &fixture, 0).await, put(&app, &fixture, -1).await);
        let older = put(&app, &fixture, 1).await;
        until_expired(&app, &older).await;
        until_next_pass(&app, &fixture).await;
        for untouched in [&exactly, &younger, &fixture.dispense] {
            fixture.assert_untouched(&app, untouched).await;
        }
        app.clock.set(app.clock.now().checked_add(SignedDuration::from_millis(1)).unwrap());
        until_expired(&app, &exactly).await;
        fixture.assert_untouched(&app, &younger).await;
    }

    async fn x02_no_other_status(kind) {
        let app = expiring(kind).start().await;
        let fixture = StopFixture::load(&app).await;
        let mut others = Vec::new();
        for status in DispenseStatus::ALL.into_iter().filter(|status| *status != DispenseStatus::InProgress) {
            let at = json!("1999-12-31T23:59:59.999Z");
            let dispense = fixture.another(&app).status(status).field("inserted_at", at).build();
            app.put_dispense(&dispense).await;
            others.push(dispense);
        }
        until_next_pass(&app, &fixture).await;
        for other in &others {
            fixture.assert_untouched(&app, other).await;
        }
    }

    async fn x03_what_is_written(kind) {
        let app = expiring(kind).start().await;
        let fixture = StopFixture::load(&app).await;
        let before = put(&app, &fixture, 1).await;
        let expired = until_expired(&app, &before).await;
        let mut expected = before.record.clone();
        expected["status"] = json!("unknown");
        expected["updated_at"] = json!(crate::NOW_MILLIS);
        expected["updated_by"] = json!(SYSTEM_USER);
        let entry = json!({"status": "unknown", "inserted_at": crate::NOW_MILLIS, "inserted_by": SYSTEM_USER});
        expected["status_history"].as_array_mut().unwrap().push(entry);
        assert_eq!(expired.record, expected);

        let events = app.events_of(&before).await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        let expected = json!({
            "id": event.json["id"], "event_type": "StatusChangeEvent", "entity_type": "DeviceDispense",
            "entity_id": before.id.to_string(), "properties": {"status": {"new_value": "unknown"}},
            "event_time": crate::NOW_MILLIS, "changed_by": SYSTEM_USER,
        });
        assert_eq!(event.json, expected);
        wait_for("it to be counted", DEADLINE, async || {
            let expired = app.scrape().await.sum("esoz_expiry_dispenses_total", &[("outcome", "expired")]);
            if expired >= Some(1.0) { Ok(()) } else { Err(format!("{expired:?}")) }
        })
        .await;
        // Its owner is told so.
        let answer = fixture.request_for(&app, &before).send().await;
        answer.assert_conflict("Device dispense in status unknown cannot be stopped");
    }

    async fn x05_raced_by_stops(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let expire = operation(&app);
        for round in 0..ROUNDS {
            let dispense = put(&app, &fixture, 1).await;
            let stop = tokio::spawn(fixture.request_for(&app, &dispense).send());
            let expire = expire.clone();
            let expiry = tokio::spawn(async move { expire.execute(dispense.id).await });
            let (answer, has_expired) = (stop.await.unwrap(), expiry.await.unwrap().unwrap());
            if has_expired {
                answer.assert_conflict("Device dispense in status unknown cannot be stopped");
            } else {
                assert_eq!(answer.status, 200, "round {round}");
            }
            let status = if has_expired { DispenseStatus::Unknown } else { DispenseStatus::Stopped };
            let after = stored(&app, &dispense).await;
            assert_eq!(after.status, status, "round {round}");
            assert_eq!(after.record["status_history"].as_array().unwrap().len(), 2, "round {round}");
        }
        app.events_of(&fixture.dispense).await;
        assert_eq!(app.delivered().messages().await.len(), ROUNDS, "one event each");
    }

    async fn x06_what_cannot_be_read_or_a_store_that_is_away_keeps_no_other_from_expiring(kind) {
        let failures = Arc::new(AtomicU32::new(3));
        let left = failures.clone();
        let refused = Arc::new(OnceLock::new());
        let is_refused = refused.clone();
        let setup = expiring(kind).variable("ESOZ_EVENTS__BACKOFF_FIRST_MS", "10").replace(move |parts| {
            let inner = parts.stores.dispenses.clone();
            parts.stores.dispenses = Arc::new(Double(Away { inner, left, refused }));
        });
        let app = setup.start().await;
        let fixture = StopFixture::load(&app).await;
        let completed = fixture.another(&app).status(DispenseStatus::Completed);
        let unreadable = completed.field("inserted_at", older_by(&app, 86_400_000)).build();
        app.put_dispense(&unreadable).await;
        // Not in progress until it cannot be read: the job is at work.
        for (field, value) in [("subject", json!(7)), ("status", json!("in_progress"))] {
            app.raw().set_field(unreadable.id, field, value).await;
        }
        let document = app.raw().document(unreadable.id).await;
        let strange = fixture.another(&app).field("inserted_at", older_by(&app, 80_000_000)).build();
        is_refused.set(strange.id).unwrap();
        app.put_dispense(&strange).await;
        let sound = put(&app, &fixture, 1).await;
        until_expired(&app, &sound).await;
        assert_eq!(failures.load(Ordering::SeqCst), 0, "the store was away and came back");
        let scrape = wait_for("both to be counted", DEADLINE, async || {
            let scrape = app.scrape().await;
            let skipped = scrape.sum("esoz_expiry_dispenses_total", &[("outcome", "skipped")]);
            if skipped >= Some(2.0) { Ok(scrape) } else { Err(format!("{skipped:?}")) }
        })
        .await;
        assert!(scrape.sum("esoz_expiry_oldest_overdue_seconds", &[]) >= Some(86_400.0));
        assert_eq!(app.raw().document(unreadable.id).await, document);
    }
}

on_every_store! {
    async fn x07_without_a_lifetime_nothing_expires(kind) {
        let app = Setup::new(kind).variable("ESOZ_DEVICE_DISPENSE__LIFETIME_S", "0").start().await;
        let scrape = app.scrape().await;
        assert!(scrape.sum("esoz_job_runs_total", &[("job_name", "purge_keys")]).is_some());
        assert_eq!(scrape.sum("esoz_job_runs_total", &[("job_name", "expire_dispenses")]), None);
    }
}

/// A store that is away for as many passes, and then refuses to change one dispense for a reason of its own.
struct Away {
    inner: Arc<dyn DeviceDispenses>,
    left: Arc<AtomicU32>,
    refused: Arc<OnceLock<DispenseId>>,
}

#[async_trait]
impl DeviceDispensesDouble for Away {
    fn inner(&self) -> &dyn DeviceDispenses {
        &*self.inner
    }

    async fn overdue(&self, filter: &OverdueFilter, limit: u32) -> Result<Vec<Overdue>, StoreError> {
        let is_away = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match is_away {
            Ok(_) => Err(StoreError::new(StoreErrorKind::Unavailable, "testing")),
            Err(_) => self.inner.overdue(filter, limit).await,
        }
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        if self.refused.get() == Some(&change.id) {
            return Err(StoreError::new(StoreErrorKind::Unexpected, "testing"));
        }
        self.inner.commit(change).await
    }
}
