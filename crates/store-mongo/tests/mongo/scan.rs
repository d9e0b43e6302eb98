//! Scanning what others have put into the collection.

use bson::{Bson, doc, oid::ObjectId};
use esoz_device_dispense::DispenseRegistry;
use esoz_kernel::{ScanCursor, StoreError, StoreErrorKind};

use crate::changes::{binary, fresh_id, stored};
use crate::support::Fresh;

/// The ids, or the errors, of all records in pages of that size, and the number of pages.
async fn scan(fresh: &Fresh, limit: u32) -> (Vec<Result<String, StoreError>>, usize) {
    let (mut all, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = fresh.store.scan_dispenses(after, limit).await.unwrap();
        all.extend(page.records.into_iter().map(|record| record.map(|dispense| dispense.id.to_string())));
        pages += 1;
        after = page.next;
        if after.is_none() {
            return (all, pages);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_type_is_named_and_the_scan_goes_on() {
    let fresh = Fresh::shared().await;
    let (object_id, text_id) = (ObjectId::new(), fresh_id().to_string());
    let foreign = [
        (Bson::Int32(7), "unknown"),
        (Bson::Null, "unknown"),
        (Bson::from("a canary"), "unknown"),
        (Bson::from(text_id.as_str()), text_id.as_str()),
        (Bson::from(object_id), &object_id.to_hex()),
        (Bson::from(doc! { "of": ["another", "type"] }), "unknown"),
        (Bson::DateTime(bson::DateTime::now()), "unknown"),
    ];
    let mut ids: Vec<_> = (0..5).map(|_| fresh_id()).collect();
    for id in &ids {
        fresh.documents.insert_one(stored(*id, binary(fresh_id()))).await.unwrap();
    }
    for (id, _) in &foreign {
        let mut document = stored(fresh_id(), binary(fresh_id()));
        document.insert("_id", id.clone());
        fresh.documents.insert_one(document).await.unwrap();
    }
    ids.sort_unstable();
    for limit in [1, 2, 5, 12, 100] {
        let (all, _) = scan(&fresh, limit).await;
        assert_eq!(all.len(), ids.len() + foreign.len(), "in pages of {limit}");
        let read: Vec<_> = all.iter().filter_map(|record| record.as_ref().ok().cloned()).collect();
        assert_eq!(read, ids.iter().map(ToString::to_string).collect::<Vec<_>>());
        let mut named: Vec<_> = all.into_iter().filter_map(Result::err).collect();
        assert!(named.iter().all(|error| error.kind() == StoreErrorKind::Corrupt));
        for (_, shown) in &foreign {
            let expected = StoreError::corrupt("device_dispenses", shown, "_id").to_string();
            let place = named.iter().position(|error| error.to_string() == expected);
            named.swap_remove(place.unwrap_or_else(|| panic!("{expected:?} is not in {named:?}")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_follows_a_document_that_has_been_removed() {
    let fresh = Fresh::shared().await;
    let mut ids: Vec<_> = (0..4).map(|_| fresh_id()).collect();
    ids.sort_unstable();
    for id in &ids {
        fresh.documents.insert_one(stored(*id, binary(fresh_id()))).await.unwrap();
    }
    let first = fresh.store.scan_dispenses(None, 2).await.unwrap();
    fresh.documents.delete_one(doc! { "_id": binary(ids[1]) }).await.unwrap();
    let second = fresh.store.scan_dispenses(first.next, 1).await.unwrap();
    let read: Vec<_> = second.records.into_iter().map(|record| record.unwrap().id.uuid()).collect();
    assert_eq!(read, [ids[2]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_documents_come_in_smaller_pages() {
    let fresh = Fresh::shared().await;
    for _ in 0..5 {
        let mut large = stored(fresh_id(), binary(fresh_id()));
        large.insert("note", "x".repeat(9 << 20));
        fresh.documents.insert_one(large).await.unwrap();
    }
    let (all, pages) = scan(&fresh, 100).await;
    assert_eq!(all.into_iter().filter_map(Result::ok).count(), 5);
    assert!(pages >= 5, "{pages} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_none_is_an_error_and_no_new_beginning() {
    let fresh = Fresh::shared().await;
    fresh.documents.insert_one(stored(fresh_id(), binary(fresh_id()))).await.unwrap();
    // Too short for a document, and a document with a value of no type.
    for bytes in [&b"canary"[..], b"\x08\0\0\0\x20a\0\0"] {
        let error = fresh.store.scan_dispenses(Some(ScanCursor::new(bytes)), 1).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    }
}
