//! Overdue dispenses: [`DeviceDispenses::overdue`](esoz_device_dispense::DeviceDispenses::overdue), and changes under the condition that a
//! dispense was recorded before an instant.

use esoz_device_dispense::{Dispense, DispenseStatus, Overdue, OverdueFilter, Transition, Trigger};
use esoz_kernel::{Committed, DispenseId, Timestamp, Uuid, time::rfc3339_millis};
use serde_json::json;

use super::DispenseStore;
use super::dispenses::put;
use crate::builders::{at_millis, change_of, dispense, fresh};

/// The instant before which a dispense must have been recorded, in milliseconds of the builders' time.
const LIMIT: i64 = -1_000;

fn recorded(at: i64) -> Dispense {
    dispense().field("inserted_at", json!(rfc3339_millis(at_millis(at)))).build()
}

fn position(dispense: &Dispense) -> Overdue {
    Overdue { inserted_at: dispense.inserted_at().unwrap(), id: dispense.id }
}

fn filter(after: Option<Overdue>) -> OverdueFilter {
    let from = DispenseStatus::Unknown.sources(Trigger::AutoExpire);
    OverdueFilter { from, inserted_before: at_millis(LIMIT), after }
}

async fn overdue(store: &DispenseStore, after: Option<Overdue>, limit: u32) -> Vec<Overdue> {
    store.dispenses.overdue(&filter(after), limit).await.unwrap()
}

fn expiry(dispense: &Dispense, before: Timestamp) -> Transition {
    Transition {
        owner: None,
        subject: None,
        inserted_before: Some(before),
        ..change_of(dispense, DispenseStatus::Unknown, at_millis(1))
    }
}

/// The bound is exclusive, to the millisecond.
pub async fn overdue_is_what_was_recorded_before(store: DispenseStore) {
    assert_eq!(overdue(&store, None, 10).await, []);
    let before = recorded(LIMIT - 1);
    for dispense in [&before, &recorded(LIMIT), &recorded(LIMIT + 1)] {
        put(&store, dispense).await;
    }
    assert_eq!(overdue(&store, None, 10).await, [position(&before)]);
}

/// However old.
pub async fn what_is_not_in_progress_is_not_overdue(store: DispenseStore) {
    for status in DispenseStatus::ALL {
        let at = json!(rfc3339_millis(at_millis(LIMIT - 1)));
        put(&store, &dispense().status(status).field("inserted_at", at).build()).await;
    }
    let in_progress = overdue(&store, None, 10).await;
    let [overdue] = in_progress.as_slice() else { panic!("{in_progress:?}") };
    let found = store.dispenses.find(overdue.id).await.unwrap().unwrap();
    assert_eq!(found.dispense.unwrap().status, DispenseStatus::InProgress);
}

/// Oldest first, then by id; in steps nothing comes twice and nothing is left out.
pub async fn overdue_dispenses_come_in_order(store: DispenseStore) {
    let ids: Vec<DispenseId> = (0..3).map(|_| DispenseId::new(fresh())).collect();
    let mut all = Vec::new();
    for at in [-5_000_i64, -9_000, -7_000] {
        for id in &ids {
            let id = DispenseId::new(Uuid::from_u128(id.uuid().as_u128() ^ u128::from(at.unsigned_abs())));
            let dispense = Dispense { id, ..recorded(at) };
            put(&store, &dispense).await;
            all.push(position(&dispense));
        }
    }
    all.sort_unstable();
    assert_eq!(overdue(&store, None, 100).await, all);
    let (mut stepped, mut after) = (Vec::new(), None);
    loop {
        let some = overdue(&store, after, 2).await;
        stepped.extend_from_slice(&some);
        if some.len() < 2 {
            break;
        }
        after = some.last().copied();
    }
    assert_eq!(stepped, all);
    assert_eq!(overdue(&store, None, 0).await, []);
}

/// What cannot be said to be overdue is not listed, and keeps nothing else from it.
pub async fn what_cannot_be_read_is_passed_over(store: DispenseStore) {
    let sound = recorded(LIMIT - 1);
    put(&store, &sound).await;
    // The last is a time, in a form that does not sort as times do.
    let other_forms = [
        json!("0001"),
        json!(17),
        json!(["2020-01-01T00:00:00.000Z"]),
        json!("2020-01-01T00:00:00.000+02:00"),
    ];
    for at in other_forms {
        let dispense = recorded(LIMIT - 2);
        put(&store, &dispense).await;
        store.raw.set_field(dispense.id, "inserted_at", at).await;
    }
    assert_eq!(overdue(&store, None, 10).await, [position(&sound)]);
    assert_eq!(overdue(&store, None, 1).await, [position(&sound)]);
}

/// The condition is compared in the same instant as the status.
pub async fn a_change_applies_to_what_was_recorded_before(store: DispenseStore) {
    let dispense = recorded(LIMIT);
    put(&store, &dispense).await;
    for (before, is_applied) in [(LIMIT - 1, false), (LIMIT, false), (LIMIT + 1, true)] {
        let committed = store.dispenses.commit(&expiry(&dispense, at_millis(before))).await.unwrap();
        assert_eq!(matches!(committed, Committed::Applied(_)), is_applied, "{before}: {committed:?}");
    }
    let unreadable = recorded(LIMIT);
    put(&store, &unreadable).await;
    store.raw.set_field(unreadable.id, "inserted_at", json!([])).await;
    let committed = store.dispenses.commit(&expiry(&unreadable, at_millis(LIMIT + 1))).await.unwrap();
    assert_eq!(committed, Committed::Stale);
}
