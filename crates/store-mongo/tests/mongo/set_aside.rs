//! What somebody else has damaged in the outboxes or in the relays' claims.

use bson::{Document, doc};
use esoz_events::{Claim, Claimed, Outbox, Refused, Which};

use crate::{
    changes::{at, binary, document, fresh_id, stopped_at},
    outbox::{NOW, claim, claimed, marked},
    support::Fresh,
};

/// Whatever stands where a document's events should be: it is set aside, named, and out of the way; a retry finds it as it was, and a drop lets
/// the document go.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_cannot_be_read_is_set_aside_and_holds_up_no_other() {
    let since = bson::DateTime::from_millis(0);
    let events = |events: bson::Bson| doc! { "since": since, "events": events };
    for damage in [
        events(bson::bson!([{ "id": "none" }])),
        events(bson::bson!(["none", 7])),
        events(bson::bson!([])),
        events(bson::Bson::Null),
        events("none".into()),
        events(doc! { "id": 1 }.into()),
        doc! { "since": "long ago" },
        doc! { "since": since, "events": bson::bson!([[]]), "set_aside": "yesterday" },
    ]
    .into_iter()
    .map(bson::Bson::from)
    .chain([bson::bson!([{ "since": since }]), bson::bson!([events(bson::bson!([{}]))])])
    {
        let fresh = Fresh::shared().await;
        let broken = stopped_at(&fresh, at(NOW)).await;
        let sound = stopped_at(&fresh, at(NOW)).await;
        let (id, entity) = (doc! { "_id": binary(broken.id.uuid()) }, broken.id.to_string());
        fresh.documents.update_one(id, doc! { "$set": { "esoz_outbox": &damage } }).await.unwrap();
        let one_by_one = Claim { max_entities: 1, ..claim(fresh_id(), at(NOW)) };
        let Claimed { events, set_aside } = fresh.store.claim(&one_by_one).await.unwrap();
        assert_eq!((events.len(), set_aside.len()), (1, 1), "{damage}");
        assert_eq!(events[0].id, sound.event.id);
        assert_eq!((set_aside[0].entity_id.as_str(), set_aside[0].id.as_str()), (&*entity, &*entity));
        assert_eq!(fresh.store.backlog().await.unwrap().set_aside, 1, "{damage}");
        assert_eq!(fresh.store.list_set_aside(10).await.unwrap(), set_aside, "{damage}");

        assert_eq!(fresh.store.retry(&Which::All).await.unwrap(), 1);
        fresh.store.remove(&[sound.event.reference()]).await.unwrap();
        let mut again = fresh.store.claim(&one_by_one).await.unwrap().set_aside;
        // Of an outbox that held no events nothing is left to set aside.
        if damage.as_document().is_none_or(|damage| damage.get("events") != Some(&bson::bson!([]))) {
            assert_eq!(again.len(), 1, "{damage}");
            while again.pop().is_some() {
                assert!(fresh.store.drop_set_aside(&entity).await.unwrap(), "{damage}");
                again.extend(fresh.store.claim(&one_by_one).await.unwrap().set_aside);
            }
        }
        let after = document(&fresh, broken.id.uuid()).await;
        assert!(!after.contains_key("esoz_outbox"), "{damage}: {after}");
    }
}

/// A document whose id is none of ours is in nobody's way either.
#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_in_a_document_with_another_id_is_set_aside() {
    let fresh = Fresh::shared().await;
    let waiting =
        doc! { "_id": 7, "esoz_outbox": { "since": bson::DateTime::from_millis(0), "events": [{}] } };
    fresh.documents.insert_one(waiting).await.unwrap();
    let sound = stopped_at(&fresh, at(NOW)).await;
    let Claimed { events, set_aside } = fresh.store.claim(&claim(fresh_id(), at(NOW))).await.unwrap();
    assert_eq!(events, [sound.event]);
    assert_eq!((set_aside.len(), set_aside[0].id.as_str()), (1, "7"));
    assert!(fresh.store.drop_set_aside("7").await.unwrap());
}

/// A relay of the version before knows nothing of what was set aside. It does not see the document until something else happens to it, and then
/// fails at its first event, as it did before.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_set_aside_keeps_its_form_and_leaves_the_index() {
    let fresh = Fresh::shared().await;
    let change = stopped_at(&fresh, at(NOW)).await;
    let before = document(&fresh, change.id.uuid()).await;
    let refused = Refused { event: change.event.reference(), reason: String::from("too large") };
    fresh.store.set_aside(&[refused], at(NOW)).await.unwrap();
    let after = document(&fresh, change.id.uuid()).await;
    let outbox = |document: &Document| document.get_document("esoz_outbox").unwrap().clone();
    assert_eq!(outbox(&after).get("events"), outbox(&before).get("events"));
    assert!(!outbox(&after).contains_key("since"), "{after}");
    marked(&fresh, &change).await;
    assert!(outbox(&document(&fresh, change.id.uuid()).await).contains_key("since"));
    assert_eq!(claimed(&fresh, &claim(fresh_id(), at(NOW))).await, []);
    assert!(!outbox(&document(&fresh, change.id.uuid()).await).contains_key("since"));
}

/// Whatever is in the document of the claims: events are delivered, and what could be read of it still counts.
#[tokio::test(flavor = "multi_thread")]
async fn claims_that_cannot_be_read_hold_up_nothing() {
    let (other, until) = (fresh_id(), bson::DateTime::from_millis(at(NOW).as_millisecond() + 1_000));
    for (held, version) in [
        (bson::bson!("none"), bson::bson!(3_i64)),
        (bson::bson!([7, "x", {}]), bson::bson!(3_i64)),
        (bson::bson!([{ "by": "me", "until": until, "entities": [] }]), bson::bson!(3_i64)),
        (bson::bson!([{ "by": binary(other), "until": "later", "entities": [] }]), bson::bson!(3_i64)),
        (bson::bson!([{ "by": binary(other), "until": until, "entities": 1 }]), bson::bson!(3_i64)),
        (bson::bson!([]), bson::bson!("many")),
        (bson::bson!([]), bson::bson!(i64::MAX)),
        (bson::Bson::Null, bson::Bson::Null),
    ] {
        let fresh = Fresh::shared().await;
        let theirs = stopped_at(&fresh, at(NOW)).await;
        let mine = stopped_at(&fresh, at(NOW)).await;
        let held = match held {
            bson::Bson::Array(mut held) => {
                let entities = vec![binary(theirs.id.uuid())];
                held.push(bson::bson!({ "by": binary(other), "until": until, "entities": entities }));
                held.into()
            }
            held => held,
        };
        let counts = matches!(held, bson::Bson::Array(_));
        let claims = fresh.documents.client().database(&fresh.documents.namespace().db);
        let claims = claims.collection::<Document>("esoz_claims");
        let broken = doc! { "_id": "device_dispenses", "version": version, "held": held };
        claims.insert_one(&broken).await.unwrap();
        let by = fresh_id();
        let events = claimed(&fresh, &claim(by, at(NOW))).await;
        assert!(events.contains(&mine.event.id), "{broken}");
        assert_eq!(events.contains(&theirs.event.id), !counts, "{broken}");
        assert_eq!(claimed(&fresh, &claim(fresh_id(), at(NOW))).await, [], "{broken}");
        fresh.store.remove(&[mine.event.reference(), theirs.event.reference()]).await.unwrap();
        assert_eq!(fresh.store.backlog().await.unwrap().depth, 0);
    }
}
