use std::sync::{Arc, Mutex};

use esoz_device_dispense::{
    Create, CreateRefusal, DeviceRequestStatus, DispenseStatus, Filter, RequestFacts,
};
use esoz_events::StatusChangeEvent;
use esoz_kernel::{Committed, DeviceRequestId, PageRequest, Put, StoreError, Written};
use serde_json::{Value, json};

use super::super::DispenseWriteStore;
use super::super::dispenses::{self, assert_same, found};
use super::fixtures::{
    create, created, having_seen, put_request, request_facts, stored_dispense, stored_request, waiting,
    without_basis,
};
use crate::builders::{
    at_millis, change_of, create_of, decide_create, device_request, dispense_of, fresh, reference,
};

/// What was decided is stored, shown, listed, and told of by its event, which waits once.
pub async fn a_create_stores_what_was_decided(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let history = json!([{"status": "in_progress", "inserted_at": "2026-01-31T08:15:30.124Z", "inserted_by": fresh().to_string()}]);
    let dispense = dispense_of(&request)
        .field("status_history", history)
        .field("performer", reference("employee", fresh()))
        .field("details", json!([{"sell_price": 1_234_567_890_123.91, "quantity": {"value": 3}}]))
        .without("signed_content_links")
        .without("payment_amount")
        .build();
    let wanted = create_of(&dispense, request.id, at_millis(1));
    let after = created(&store, &wanted).await;
    assert_same(&after, &dispense);
    assert_same(&found(&store.dispenses, dispense.id).await, &dispense);
    let filter =
        Filter { owner: Some(dispense.owner), subject: Some(request.subject.clone()), ..Filter::default() };
    let listed = store.dispenses.dispenses.list(&filter, PageRequest::FIRST).await.unwrap();
    let listed: Vec<_> = listed.items.into_iter().map(Result::unwrap).collect();
    assert_eq!(listed, std::slice::from_ref(&dispense));
    assert_eq!(dispenses::waiting(&store.dispenses).await, [wanted.event]);
    let now = request_facts(&store, &wanted.query).await;
    let expected = RequestFacts {
        request: Some(request),
        is_id_taken: true,
        has_active_dispense: true,
        ..RequestFacts::default()
    };
    assert_eq!(now, expected);
}

/// A dispense that was recorded can be stopped like any other; its events wait in their order.
pub async fn a_created_dispense_can_be_stopped(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let dispense = dispense_of(&request).build();
    let wanted = create_of(&dispense, request.id, at_millis(1));
    created(&store, &wanted).await;
    let stop = change_of(&dispense, DispenseStatus::Stopped, at_millis(2));
    let outcome = store.dispenses.dispenses.commit(&stop).await.unwrap();
    let Committed::Applied(stopped) = outcome else { panic!("the stop is stale") };
    assert_same(&found(&store.dispenses, dispense.id).await, &stopped);
    assert_eq!(dispenses::waiting(&store.dispenses).await, [wanted.event, stop.event]);
    let (again, other) = (dispense_of(&request).build(), at_millis(3));
    assert_eq!(created(&store, &create_of(&again, request.id, other)).await, again);
}

/// An event that was not traced comes back without a trace.
pub async fn an_untraced_create_waits_like_any_other(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let mut wanted = create_of(&dispense_of(&request).build(), request.id, at_millis(1));
    wanted.event = StatusChangeEvent { trace: None, ..wanted.event };
    created(&store, &wanted).await;
    assert_eq!(dispenses::waiting(&store.dispenses).await, [wanted.event]);
}

/// Whatever refuses it: nothing is written, and there is no event.
pub async fn a_refused_create_writes_nothing(store: DispenseWriteStore) {
    let taken = stored_dispense(&store, &stored_request(&store).await.facts).await;
    let document = store.dispenses.raw.document(taken.id).await;
    let free = stored_request(&store).await.facts;
    let busy = stored_request(&store).await.facts;
    stored_dispense(&store, &busy).await;
    let mut revoked = device_request();
    revoked.facts.status = DeviceRequestStatus::Revoked;
    put_request(&store, &revoked).await;
    let unknown = device_request().facts;
    for (dispense, refusal) in [
        (dispense_of(&unknown), CreateRefusal::RequestNotFound),
        (dispense_of(&revoked.facts), CreateRefusal::RequestNotActive),
        (dispense_of(&free).id(taken.id), CreateRefusal::IdTaken),
        (dispense_of(&busy), CreateRefusal::OtherActive),
    ] {
        let dispense = dispense.build();
        let request: Value = dispense.record["based_on"]["identifier"]["value"].clone();
        let request: DeviceRequestId = request.as_str().unwrap().parse().unwrap();
        let outcome = create(&store, &create_of(&dispense, request, at_millis(1))).await;
        assert_eq!(outcome, Written::Refused(refusal.clone()));
        let there = store.dispenses.dispenses.find(dispense.id).await.unwrap();
        assert_eq!(there.is_some(), dispense.id == taken.id, "{refusal:?}");
        assert!(waiting(&store).await.is_empty(), "{refusal:?}");
    }
    assert_eq!(store.dispenses.raw.document(taken.id).await, document);
}

/// The rule is given the facts of the instant of the commit.
pub async fn a_create_is_decided_on_the_facts(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let active = stored_dispense(&store, &request).await;
    let dispense = dispense_of(&request).build();
    let given: Arc<Mutex<Option<RequestFacts>>> = Arc::default();
    let (kept, decided) = (Arc::clone(&given), dispense.clone());
    let decide = move |facts: &RequestFacts| {
        *kept.lock().unwrap() = Some(without_basis(facts.clone()));
        Ok(decided.clone())
    };
    let wanted = Create { decide: Arc::new(decide), ..create_of(&dispense, request.id, at_millis(1)) };
    let expected = request_facts(&store, &wanted.query).await;
    assert!(expected.has_active_dispense && !expected.is_id_taken, "{active:?}");
    created(&store, &wanted).await;
    assert_eq!(given.lock().unwrap().take(), Some(expected));
}

/// What was seen does not hold any more: the create is decided on what is there, for it and against it.
pub async fn what_was_seen_and_has_changed_is_decided_again(store: DispenseWriteStore) {
    let attempt = async |create: &Create| -> Result<_, StoreError> { store.writes.create(create).await };
    // Active when it was seen, revoked since; and the other way round.
    let mut record = stored_request(&store).await;
    let dispense = dispense_of(&record.facts).build();
    let wanted = create_of(&dispense, record.facts.id, at_millis(1));
    let seen_active = having_seen(&store, wanted.clone()).await;
    record.facts.status = DeviceRequestStatus::Revoked;
    assert_eq!(put_request(&store, &record).await, Put::Updated);
    let refused = Written::Refused(CreateRefusal::RequestNotActive);
    assert_eq!(attempt(&seen_active).await.unwrap(), refused);
    let seen_revoked = having_seen(&store, wanted.clone()).await;
    record.facts.status = DeviceRequestStatus::Active;
    assert_eq!(put_request(&store, &record).await, Put::Updated);
    assert_eq!(attempt(&seen_revoked).await.unwrap(), Written::Applied(dispense.clone()));
    // Nothing in progress when it was seen, and something since.
    assert_eq!(attempt(&seen_active).await.unwrap(), Written::Refused(CreateRefusal::IdTaken));
    let second = dispense_of(&record.facts).build();
    let seen_free =
        Create { seen: seen_active.seen.clone(), ..create_of(&second, record.facts.id, at_millis(2)) };
    assert_eq!(attempt(&seen_free).await.unwrap(), Written::Refused(CreateRefusal::OtherActive));
    // Something in progress when it was seen, and nothing since.
    let seen_busy = having_seen(&store, seen_free).await;
    let stop = change_of(&dispense, DispenseStatus::Stopped, at_millis(3));
    store.dispenses.dispenses.commit(&stop).await.unwrap();
    assert_eq!(attempt(&seen_busy).await.unwrap(), Written::Applied(second));
}

/// A request that was not there when it was seen is there now; and what was seen of it is not what it asks for now.
pub async fn a_request_that_came_since_is_dispensed(store: DispenseWriteStore) {
    let mut record = device_request();
    let dispense = dispense_of(&record.facts).build();
    let wanted = having_seen(&store, create_of(&dispense, record.facts.id, at_millis(1))).await;
    assert_eq!(wanted.seen.request, None);
    put_request(&store, &record).await;
    let decided = decide_create(&dispense, None);
    let old = record.facts.quantity.clone();
    record.facts.quantity = None;
    let decide = move |facts: &RequestFacts| {
        let quantity = facts.request.as_ref().and_then(|request| request.quantity.clone());
        if quantity == old { Err(CreateRefusal::Quantity) } else { decided(facts) }
    };
    let wanted = Create { decide: Arc::new(decide), ..wanted };
    let seen_old = having_seen(&store, wanted.clone()).await;
    let refused = Written::Refused(CreateRefusal::Quantity);
    assert_eq!(store.writes.create(&wanted).await.unwrap(), refused);
    assert_eq!(put_request(&store, &record).await, Put::Updated);
    assert_eq!(store.writes.create(&seen_old).await.unwrap(), Written::Applied(dispense));
}
