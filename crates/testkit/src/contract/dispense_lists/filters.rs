//! Owner, subject, status and bounds narrow a list.

use esoz_device_dispense::{DispenseStatus, Filter, TimeRange};
use esoz_kernel::{PageRequest, Timestamp, time::rfc3339_millis};
use serde_json::{Value, json};

use super::fixtures::{Fixture, assert_lists};
use crate::builders::{at_millis, dispense};
use crate::contract::DispenseStore;
use crate::contract::dispenses::{canceled, put};

/// Of a legal entity, of a patient, and of both.
pub async fn owner_and_subject_narrow_a_list(store: DispenseStore) {
    let fixture = Fixture::new();
    let mine = fixture.another().build();
    let of_another_patient = dispense().owner(fixture.owner).build();
    let of_another_owner = dispense().subject(fixture.subject.clone()).build();
    for one in [&mine, &of_another_patient, &of_another_owner] {
        put(&store, one).await;
    }
    assert_lists(&store, &fixture.owned(), &[&mine, &of_another_patient]).await;
    assert_lists(&store, &fixture.about(), &[&mine, &of_another_owner]).await;
    let both = Filter { owner: Some(fixture.owner), ..fixture.about() };
    assert_lists(&store, &both, &[&mine]).await;
}

/// A status is found in both of its spellings, and shown in one.
pub async fn a_status_is_found_in_both_spellings(store: DispenseStore) {
    let one = canceled(&store).await;
    let other = dispense().owner(one.owner).status(DispenseStatus::Cancelled).build();
    put(&store, &other).await;
    put(&store, &dispense().owner(one.owner).build()).await;
    let status = Some(DispenseStatus::Cancelled);
    let filter = Filter { owner: Some(one.owner), status, ..Filter::default() };
    assert_lists(&store, &filter, &[&one, &other]).await;
    let listed = store.dispenses.list(&filter, PageRequest::FIRST).await.unwrap();
    for item in listed.items {
        assert_eq!(item.unwrap().record["status"], "cancelled");
    }
}

/// Bounds are included, to the millisecond; what has no time is within no bounds.
pub async fn bounds_are_included(store: DispenseStore) {
    let fixture = Fixture::new();
    let at = |millis: i64| json!(rfc3339_millis(at_millis(millis)));
    for field in ["inserted_at", "when_handed_over"] {
        let [early, exact, late] =
            [999, 1_000, 1_001].map(|millis| fixture.another().field(field, at(millis)).build());
        let none = fixture.another().build();
        for one in [&early, &exact, &late, &none] {
            put(&store, one).await;
        }
        store.raw.set_field(none.id, field, Value::Null).await;
        let within = |from: Option<i64>, to: Option<i64>| {
            let range = TimeRange::new(from.map(at_millis), to.map(at_millis));
            // The others of this test are far from these times.
            let near = TimeRange::new(Some(at_millis(0)), Some(at_millis(5_000)));
            let range = if range == TimeRange::default() { near } else { range };
            match field {
                "inserted_at" => Filter { inserted_at: range, ..fixture.owned() },
                _ => Filter { when_handed_over: range, ..fixture.owned() },
            }
        };
        for (from, to, expected) in [
            (None, None, vec![&early, &exact, &late]),
            (Some(1_000), Some(1_000), vec![&exact]),
            (Some(999), Some(1_000), vec![&early, &exact]),
            (Some(1_000), Some(5_000), vec![&exact, &late]),
            (Some(1_001), Some(999), vec![]),
            (Some(1_002), None, vec![]),
        ] {
            assert_lists(&store, &within(from, to), &expected).await;
        }
    }
}

/// The ends of time are times like any other.
pub async fn the_ends_of_time_are_within_bounds(store: DispenseStore) {
    let fixture = Fixture::new();
    let [first, last] = ["0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"]
        .map(|time| fixture.another().field("inserted_at", json!(time)).build());
    put(&store, &first).await;
    put(&store, &last).await;
    let within = |from, to| Filter { inserted_at: TimeRange::new(from, to), ..fixture.owned() };
    assert_lists(&store, &within(Some(Timestamp::MIN), None), &[&first, &last]).await;
    assert_lists(&store, &within(None, Some(Timestamp::MIN)), &[&first]).await;
    assert_lists(&store, &within(Some(Timestamp::MAX), None), &[&last]).await;
}
