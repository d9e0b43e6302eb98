//! What a list holds, page by page.

use esoz_device_dispense::{DispenseStatus, Filter};
use esoz_kernel::{DispenseId, PageRequest, StoreErrorKind, time::rfc3339_millis};
use serde_json::{Value, json};

use super::fixtures::{Fixture, assert_lists, list};
use crate::builders::{at_millis, dispense};
use crate::contract::DispenseStore;
use crate::contract::dispenses::{assert_same, put};

/// A store without dispenses has an empty list, and so has a legal entity or a patient without any.
pub async fn a_list_of_nothing_is_empty(store: DispenseStore) {
    let fixture = Fixture::new();
    assert_lists(&store, &fixture.owned(), &[]).await;
    put(&store, &dispense().build()).await;
    assert_lists(&store, &fixture.owned(), &[]).await;
    assert_lists(&store, &fixture.about(), &[]).await;
}

/// An entry is the dispense as it is found, in every status.
pub async fn entries_are_as_they_were_put(store: DispenseStore) {
    let fixture = Fixture::new();
    for status in DispenseStatus::ALL {
        let one = fixture.another().status(status).build();
        put(&store, &one).await;
        let filter = Filter { status: Some(status), ..fixture.owned() };
        let mut page = store.dispenses.list(&filter, PageRequest::FIRST).await.unwrap();
        assert_eq!((page.items.len(), page.total_entries), (1, 1));
        assert_same(&page.items.remove(0).unwrap(), &one);
    }
}

/// Ascending by the time of recording, those without one first, and then by id; nothing twice, nothing missing, true totals.
pub async fn pages_are_in_order_and_complete(store: DispenseStore) {
    let fixture = Fixture::new();
    let mut all = Vec::new();
    for place in 0..23 {
        let at = rfc3339_millis(at_millis(place % 4));
        let one = fixture.another().field("inserted_at", json!(at)).build();
        put(&store, &one).await;
        all.push((Some(at), one.id));
    }
    for _ in 0..2 {
        let one = fixture.another().build();
        put(&store, &one).await;
        store.raw.set_field(one.id, "inserted_at", Value::Null).await;
        all.push((None, one.id));
    }
    all.sort();
    let ids: Vec<DispenseId> = all.into_iter().map(|(_, id)| id).collect();
    let both = Filter { owner: Some(fixture.owner), ..fixture.about() };
    let in_progress = Filter { status: Some(DispenseStatus::InProgress), ..fixture.owned() };
    for filter in [fixture.owned(), fixture.about(), both, in_progress] {
        let mut listed = Vec::new();
        for (number, entries) in [(1, 10), (2, 10), (3, 5), (4, 0), (1_000_000, 0)] {
            let (page, total) = list(&store, &filter, number, 10).await;
            assert_eq!((page.len(), total), (entries, 25), "page {number} of {filter:?}");
            listed.extend(page);
        }
        assert_eq!(listed, ids, "{filter:?}");
        assert_eq!(list(&store, &filter, 1, 25).await, (ids.clone(), 25));
        assert_eq!(list(&store, &filter, 5, 5).await, (ids[20..].to_vec(), 25));
    }
}

/// What cannot be read is an error in its place, named by place, id and field, and counted.
pub async fn what_cannot_be_read_is_an_error_in_its_place(store: DispenseStore) {
    let fixture = Fixture::new();
    let mut ids = Vec::new();
    for place in 0..5 {
        let one = fixture.another().field("inserted_at", json!(rfc3339_millis(at_millis(place)))).build();
        put(&store, &one).await;
        ids.push(one.id);
    }
    store.raw.set_field(ids[1], "status", json!("exploded")).await;
    store.raw.set_field(ids[3], "subject", json!({"of": "others"})).await;
    let page = store.dispenses.list(&fixture.owned(), PageRequest::FIRST).await.unwrap();
    assert_eq!((page.items.len(), page.total_entries), (5, 5));
    for (id, item) in ids.iter().zip(page.items) {
        match (item, *id == ids[1], *id == ids[3]) {
            (Ok(readable), false, false) => assert_eq!(readable.id, *id),
            (Err(error), of_status, _) => {
                assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
                let field = if of_status { "status" } else { "subject" };
                for part in ["device_dispenses", &id.to_string(), field] {
                    assert!(error.to_string().contains(part), "{error} does not name {part}");
                }
                assert!(!error.with_causes().contains(fixture.subject.expose()));
            }
            (Ok(readable), ..) => panic!("{readable:?} was read"),
        }
    }
    // In a list by what it is not it does not occur.
    let in_progress = Filter { status: Some(DispenseStatus::InProgress), ..fixture.about() };
    let (listed, total) = list(&store, &in_progress, 1, 50).await;
    assert_eq!((listed, total), (vec![ids[0], ids[2], ids[4]], 3));
}
