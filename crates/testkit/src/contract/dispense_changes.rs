//! Changing the status of a dispense:
//! [`DeviceDispenses::commit`](esoz_device_dispense::DeviceDispenses::commit).

use std::collections::BTreeSet;
use std::sync::Arc;

use esoz_device_dispense::{Dispense, DispenseStatus, Pseudonym, RECORD, Transition, Trigger};
use esoz_kernel::{Committed, DispenseId, LegalEntityId, StoreErrorKind, time::rfc3339_millis};
use serde_json::{Value, json};

use super::DispenseStore;
use super::dispenses::{assert_same, canceled, found, put, waiting};
use super::race::all_at_once;
use crate::builders::{at_millis, change_of, dispense, fresh};

const RACERS: usize = 32;
const ROUNDS: usize = 5;

/// What a change of status may set.
const CHANGED_FIELDS: [&str; 4] = ["status", "status_history", "updated_at", "updated_by"];

async fn applied(store: &DispenseStore, change: &Transition) -> Dispense {
    match store.dispenses.commit(change).await.unwrap() {
        Committed::Applied(dispense) => dispense,
        other => panic!("the change was not applied: {other:?}"),
    }
}

/// The dispense as the change must leave it.
fn expected_after(before: &Dispense, change: &Transition) -> Dispense {
    let mut after = before.clone();
    let (at, by) = (rfc3339_millis(change.at), change.by.to_string());
    let history = after.record.entry("status_history").or_insert(json!([]));
    let entry = json!({"status": change.to.as_str(), "inserted_at": at, "inserted_by": by});
    history.as_array_mut().unwrap().push(entry);
    after.status = change.to;
    after.record.insert("status".to_owned(), json!(change.to.as_str()));
    after.record.insert("updated_at".to_owned(), json!(at));
    after.record.insert("updated_by".to_owned(), json!(by));
    after
}

/// The fields of the stored document that differ, those aside that are the adapter's own (e.g. its outbox).
pub(super) fn differing(before: &Value, after: &Value, known: &[&str]) -> BTreeSet<String> {
    let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
    let fields: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    fields
        .into_iter()
        .filter(|field| known.contains(&field.as_str()) && before.get(*field) != after.get(*field))
        .cloned()
        .collect()
}

/// It sets status, time and user, appends to the history, and touches nothing else; what it returns is what is found.
pub async fn a_change_sets_its_fields_and_no_other(store: DispenseStore) {
    let before = dispense().build();
    put(&store, &before).await;
    let unknown = json!({"kept": [1, {"as": "it is"}], "null": null});
    store.raw.set_field(before.id, "written_by_another_system", unknown.clone()).await;
    let document = store.raw.document(before.id).await;

    let change = change_of(&before, DispenseStatus::Stopped, at_millis(1_001));
    let after = applied(&store, &change).await;
    assert_same(&after, &expected_after(&before, &change));
    assert_same(&found(&store, before.id).await, &after);

    let changed = store.raw.document(before.id).await;
    assert_eq!(changed["written_by_another_system"], unknown);
    let known = RECORD.fields.iter().map(|field| field.name);
    let known: Vec<&str> = known.chain(["_id", "id", "subject", "written_by_another_system"]).collect();
    let names: BTreeSet<String> = CHANGED_FIELDS.map(str::to_owned).into();
    assert_eq!(differing(&document, &changed, &known), names);
}

/// Every status can be changed to every other: which change is allowed the domain has decided.
pub async fn a_change_follows_a_change(store: DispenseStore) {
    let mut before = dispense().build();
    put(&store, &before).await;
    let mut events = Vec::new();
    for (step, to) in (1..).zip([DispenseStatus::Stopped, DispenseStatus::EnteredInError]) {
        let change = change_of(&before, to, at_millis(step));
        let after = applied(&store, &change).await;
        assert_same(&after, &expected_after(&before, &change));
        before = after;
        events.push(change.event);
    }
    assert_eq!(waiting(&store).await, events);
}

/// A dispense that came without a history gets one.
pub async fn a_missing_history_begins_with_the_change(store: DispenseStore) {
    let before = dispense().without("status_history").build();
    put(&store, &before).await;
    let change = change_of(&before, DispenseStatus::Completed, at_millis(1));
    let after = applied(&store, &change).await;
    assert_same(&after, &expected_after(&before, &change));
    assert_same(&found(&store, before.id).await, &after);
}

/// The event waits in the outbox, every field as given.
pub async fn an_applied_change_puts_its_event_into_the_outbox(store: DispenseStore) {
    let before = dispense().build();
    put(&store, &before).await;
    assert_eq!(waiting(&store).await, []);
    let change = change_of(&before, DispenseStatus::Stopped, at_millis(1));
    applied(&store, &change).await;
    assert_eq!(waiting(&store).await, [change.event]);
}

/// An event that was not traced, as all were once, comes back without a trace.
pub async fn an_untraced_event_waits_like_any_other(store: DispenseStore) {
    let before = dispense().build();
    put(&store, &before).await;
    let mut change = change_of(&before, DispenseStatus::Stopped, at_millis(1));
    change.event.trace = None;
    applied(&store, &change).await;
    assert_eq!(waiting(&store).await, [change.event]);
}

/// A dispense that is stored as `canceled` is one that is cancelled; what its history says stays as stored.
pub async fn a_stored_canceled_can_be_changed_as_cancelled(store: DispenseStore) {
    let before = canceled(&store).await;
    let sources = DispenseStatus::EnteredInError.sources(Trigger::MarkInError);
    let change = change_of(&before, DispenseStatus::EnteredInError, at_millis(1));
    let after = applied(&store, &Transition { from: sources, ..change.clone() }).await;
    assert_same(&after, &expected_after(&before, &change));
    assert_same(&found(&store, before.id).await, &after);
    assert_eq!(store.raw.document(before.id).await["status_history"][1]["status"], "canceled");
}

/// A transition that names neither legal entity nor patient is of any; what it gives tells whose the dispense is.
pub async fn a_change_may_be_of_any_owner_and_subject(store: DispenseStore) {
    let before = dispense().build();
    put(&store, &before).await;
    let change = change_of(&before, DispenseStatus::Unknown, at_millis(1));
    let stale =
        Transition { from: vec![DispenseStatus::Stopped], owner: None, subject: None, ..change.clone() };
    assert_eq!(store.dispenses.commit(&stale).await.unwrap(), Committed::Stale);
    let after = applied(&store, &Transition { owner: None, subject: None, ..change.clone() }).await;
    assert_same(&after, &expected_after(&before, &change));
    assert_same(&found(&store, before.id).await, &after);
    assert_eq!(waiting(&store).await, [change.event]);
}

/// Whatever is not as expected: nothing is written, and there is no event.
pub async fn a_stale_change_does_nothing(store: DispenseStore) {
    let before = dispense().build();
    put(&store, &before).await;
    let document = store.raw.document(before.id).await;
    let sound = || change_of(&before, DispenseStatus::Stopped, at_millis(1));
    let unknown = DispenseId::new(fresh());
    for (what, change) in [
        ("unknown id", Transition { id: unknown, ..sound() }),
        ("another owner", Transition { owner: Some(LegalEntityId::new(fresh())), ..sound() }),
        ("another subject", Transition { subject: Some(Pseudonym::new("P")), ..sound() }),
        (
            "subject in another case",
            Transition { subject: Some(Pseudonym::new(before.subject.expose().to_lowercase())), ..sound() },
        ),
        ("another status", Transition { from: vec![DispenseStatus::Preparation], ..sound() }),
        ("the status it shall get", Transition { from: vec![DispenseStatus::Stopped], ..sound() }),
    ] {
        let outcome = store.dispenses.commit(&change).await.unwrap();
        assert_eq!(outcome, Committed::Stale, "{what}");
        assert_eq!(store.raw.document(before.id).await, document, "{what}");
        assert_eq!(waiting(&store).await, [], "{what}");
    }
    assert!(store.dispenses.find(unknown).await.unwrap().is_none());
}

/// The same change again is stale, and there is still one event.
pub async fn a_change_applies_once(store: DispenseStore) {
    let before = dispense().build();
    put(&store, &before).await;
    let change = change_of(&before, DispenseStatus::Stopped, at_millis(1));
    let after = applied(&store, &change).await;
    assert_eq!(store.dispenses.commit(&change).await.unwrap(), Committed::Stale);
    let another = change_of(&before, DispenseStatus::Stopped, at_millis(2));
    assert_eq!(store.dispenses.commit(&another).await.unwrap(), Committed::Stale);
    assert_same(&found(&store, before.id).await, &after);
    assert_eq!(waiting(&store).await, [change.event]);
}

/// Of 32 at once one is applied: its history entry, its event, and no other.
pub async fn of_concurrent_changes_one_is_applied(store: DispenseStore) {
    let mut events = BTreeSet::new();
    for _ in 0..ROUNDS {
        let before = dispense().build();
        put(&store, &before).await;
        let changes: Vec<_> =
            (0..RACERS).map(|_| change_of(&before, DispenseStatus::Stopped, at_millis(1))).collect();
        let outcomes = all_at_once(changes.clone().into_iter().map(|change| {
            let dispenses = Arc::clone(&store.dispenses);
            async move { dispenses.commit(&change).await }
        }))
        .await;
        let mut winner = None;
        for (change, outcome) in changes.iter().zip(outcomes) {
            match outcome {
                Ok(Committed::Applied(after)) => {
                    assert!(winner.is_none(), "two changes were applied");
                    winner = Some((change, after));
                }
                Ok(Committed::Stale) => {}
                Ok(other) => panic!("without a key: {other:?}"),
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}"),
            }
        }
        let (change, after) = winner.unwrap();
        assert_same(&after, &expected_after(&before, change));
        assert_same(&found(&store, before.id).await, &after);
        events.insert(change.event.id);
        let in_outbox: BTreeSet<_> = waiting(&store).await.iter().map(|event| event.id).collect();
        assert_eq!(in_outbox, events);
    }
}

/// Changes of different dispenses, side by side, are all applied, each to its own.
pub async fn dispenses_do_not_disturb_each_other(store: DispenseStore) {
    let untouched = dispense().build();
    put(&store, &untouched).await;
    let mut changes = Vec::new();
    let mut expected = Vec::new();
    for step in 1..=i64::try_from(RACERS).unwrap() {
        let before = dispense().build();
        put(&store, &before).await;
        let change = change_of(&before, DispenseStatus::Stopped, at_millis(step));
        expected.push(expected_after(&before, &change));
        changes.push(change);
    }
    let events: BTreeSet<_> = changes.iter().map(|change| change.event.id).collect();
    let outcomes = all_at_once(changes.into_iter().map(|change| {
        let dispenses = Arc::clone(&store.dispenses);
        async move { dispenses.commit(&change).await.unwrap() }
    }))
    .await;
    for (outcome, expected) in outcomes.iter().zip(&expected) {
        let Committed::Applied(after) = outcome else { panic!("a change that nothing disturbs is stale") };
        assert_same(after, expected);
        assert_same(&found(&store, expected.id).await, expected);
    }
    assert_same(&found(&store, untouched.id).await, &untouched);
    assert_eq!(waiting(&store).await.iter().map(|event| event.id).collect::<BTreeSet<_>>(), events);
}

/// Each of a crowd is told what became of its own change, whatever becomes of the others: applied, not expected so, not there, lost to
/// another.
pub async fn each_of_a_crowd_is_told_its_own_outcome(store: DispenseStore) {
    const CROWD: i64 = 96;
    let mut changes = Vec::new();
    let mut contested = Vec::new();
    for step in 0..CROWD {
        let before = dispense().build();
        let mut change = change_of(&before, DispenseStatus::Stopped, at_millis(step));
        if step % 4 != 1 {
            put(&store, &before).await;
        }
        match step % 4 {
            2 => change.owner = Some(LegalEntityId::new(fresh())),
            3 => {
                let rival = change_of(&before, DispenseStatus::Completed, at_millis(step));
                contested.push((change.event.id, rival.event.id));
                changes.push((3, before.clone(), rival));
            }
            _ => {}
        }
        changes.push((step % 4, before, change));
    }
    let told = all_at_once(changes.clone().into_iter().map(|(_, _, change)| {
        let dispenses = Arc::clone(&store.dispenses);
        async move { dispenses.commit(&change).await.unwrap() }
    }))
    .await;
    let mut applied = BTreeSet::new();
    for ((kind, before, change), told) in changes.iter().zip(told) {
        match (kind, told) {
            (0 | 3, Committed::Applied(after)) => {
                assert_same(&after, &expected_after(before, change));
                assert_same(&found(&store, before.id).await, &after);
                applied.insert(change.event.id);
            }
            (1..=3, Committed::Stale) => {}
            (kind, told) => panic!("a change of kind {kind} is told {told:?}"),
        }
    }
    for (one, other) in contested {
        assert!(applied.contains(&one) != applied.contains(&other), "one of two, not both and not none");
    }
    assert_eq!(waiting(&store).await.iter().map(|event| event.id).collect::<BTreeSet<_>>(), applied);
}
