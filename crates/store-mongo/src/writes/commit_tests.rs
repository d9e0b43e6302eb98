use std::time::Duration;

use bson::{Document, doc};
use esoz_device_dispense::{DispenseRegistry as _, DispenseWrites as _, RequestFacts, RequestQuery};
use esoz_kernel::{DeviceRequestId, EventId};
use esoz_registries::Registry as _;
use esoz_testkit::builders::{at_millis, create_of, device_request, dispense_of, fresh};

use super::*;
use crate::{
    MongoStore,
    device_dispense::{document, query::tests::connected},
    fields::{INSERTED_AT, STATUS, UPDATED_AT},
    values::{binary, millis, time},
    writes::touch_request,
};

/// A migrated store on a database of its own.
async fn migrated() -> MongoStore {
    let store = connected().await;
    store.migrate().await.unwrap();
    store
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn update_of(id: Uuid, conditions: Document) -> Update {
    let mut all = doc! { ID: binary(id) };
    all.extend(conditions);
    let mut update = touch_request(EventId::new(fresh()));
    update.insert("$set", doc! { UPDATED_AT: millis(at_millis(7)) });
    Update { conditions: all, update }
}

async fn stored_request(store: &MongoStore) -> DeviceRequestId {
    let request = device_request();
    store.put(std::slice::from_ref(&request)).await.unwrap();
    request.facts.id
}

/// A create for the request.
fn create(request: DeviceRequestId) -> Write {
    let mut facts = device_request().facts;
    facts.id = request;
    let dispense = dispense_of(&facts).build();
    Write {
        id: dispense.id,
        request: Some(update_of(request.uuid(), doc! {})),
        dispense: DispenseWrite::New {
            document: document::from_dispense(&dispense).unwrap(),
            query: create_of(&dispense, request, at_millis(1)).query,
            has_active: false,
        },
        deadline: soon(),
    }
}

/// A change of a stored dispense.
async fn change(store: &MongoStore, conditions: Document) -> Write {
    let request = stored_request(store).await;
    let mut facts = device_request().facts;
    facts.id = request;
    let dispense = dispense_of(&facts).build();
    store.put_dispenses(std::slice::from_ref(&dispense)).await.unwrap();
    Write {
        id: dispense.id,
        request: Some(update_of(request.uuid(), doc! {})),
        dispense: DispenseWrite::Changed(update_of(dispense.id.uuid(), conditions)),
        deadline: soon(),
    }
}

/// Runs writes as one batch; returns whether they shared a transaction, and the answer to each.
async fn together(store: &MongoStore, writes: Vec<Write>) -> (bool, Vec<CommitOutcome>) {
    let (jobs, answered): (Vec<_>, Vec<_>) = writes.into_iter().map(Arc::new).map(Queued::new).unzip();
    let have_shared = CommitExecutor(store.documents.clone()).run_batch(jobs).await;
    let mut answers = Vec::new();
    for answered in answered {
        answers.push(answered.answer().await.unwrap());
    }
    (have_shared, answers)
}

async fn is_stored(store: &MongoStore, id: DispenseId) -> bool {
    store.documents.find(id).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_and_changes_share_a_transaction_and_each_gets_its_own_dispense() {
    let store = migrated().await;
    let mut writes = Vec::new();
    for _ in 0..3 {
        writes.push(create(stored_request(&store).await));
        writes.push(change(&store, doc! { STATUS: "in_progress" }).await);
    }
    let ids: Vec<DispenseId> = writes.iter().map(|write| write.id).collect();
    let (have_shared, answers) = together(&store, writes).await;
    assert!(have_shared);
    for (place, (id, answer)) in ids.into_iter().zip(answers).enumerate() {
        let changed = answer.unwrap();
        assert!(is_stored(&store, id).await, "{place}");
        let expected = (place % 2 == 1).then(|| id.uuid());
        assert_eq!(changed.as_ref().and_then(|changed| uuid(changed, ID)), expected, "{place}");
        let is_after = |changed: &RawDocumentBuf| time(changed, UPDATED_AT) == Some(at_millis(7));
        assert!(changed.as_ref().is_none_or(is_after), "{place}");
    }
    store.documents.database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_takes_no_other_with_it() {
    let store = migrated().await;
    let (good, other) = (create(stored_request(&store).await), change(&store, doc! {}).await);
    let overtaken = change(&store, doc! { STATUS: "stopped" }).await;
    let mut taken = create(stored_request(&store).await);
    let DispenseWrite::New { document, .. } = &taken.dispense else { panic!("a create") };
    store.documents.dispenses.insert_one(document).await.unwrap();
    taken.request = Some(update_of(stored_request(&store).await.uuid(), doc! {}));
    let DispenseWrite::New { query, .. } = &mut taken.dispense else { panic!("a create") };
    query.request = DeviceRequestId::new(fresh());
    let mut has_another = create(stored_request(&store).await);
    let DispenseWrite::New { has_active, .. } = &mut has_another.dispense else { panic!("a create") };
    *has_active = true;
    let mut late = create(stored_request(&store).await);
    late.deadline = Instant::now();
    let [good_id, late_id, another_id] = [good.id, late.id, has_another.id];
    let (have_shared, answers) =
        together(&store, vec![good, overtaken, taken, has_another, late, other]).await;
    assert!(!have_shared);
    let [good, overtaken, taken, has_another, late, other] = answers.try_into().unwrap();
    assert!(good.unwrap().is_none() && is_stored(&store, good_id).await);
    assert!(other.unwrap().is_some());
    assert!(matches!(overtaken, Err(NotCommitted::Overtaken(None))), "{overtaken:?}");
    assert!(matches!(taken, Err(NotCommitted::Duplicate)), "{taken:?}");
    assert!(matches!(has_another, Err(NotCommitted::Overtaken(None))), "{has_another:?}");
    assert!(matches!(late, Err(NotCommitted::Failed(MongoError::Timeout(_)))), "{late:?}");
    assert!(!is_stored(&store, another_id).await && !is_stored(&store, late_id).await);
    store.documents.database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_for_one_request_the_second_is_decided_anew() {
    let store = migrated().await;
    let request = stored_request(&store).await;
    let writes = vec![create(request), create(request), create(stored_request(&store).await)];
    let (have_shared, answers) = together(&store, writes).await;
    assert!(have_shared);
    let [first, second, other] = answers.try_into().unwrap();
    assert!(first.is_ok() && other.is_ok());
    assert!(matches!(second, Err(NotCommitted::Overtaken(None))), "{second:?}");
    store.documents.database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_somebody_holds_keeps_only_its_own_create() {
    let store = migrated().await;
    let held = stored_request(&store).await;
    let mut holder = Transaction::begin(&store.documents, soon()).await.unwrap();
    holder.update_all(&store.documents.requests, &[&update_of(held.uuid(), doc! {})]).await.unwrap();
    let writes = vec![create(held), create(stored_request(&store).await), change(&store, doc! {}).await];
    let (have_shared, answers) = together(&store, writes).await;
    assert!(!have_shared);
    let [of_held, free, changed] = answers.try_into().unwrap();
    assert!(matches!(of_held, Err(NotCommitted::Overtaken(Some(_)))), "{of_held:?}");
    assert!(free.is_ok() && changed.is_ok());
    holder.abort().await;
    store.documents.database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_aborted_after_its_deadline_locks_nothing() {
    let store = migrated().await;
    let update = update_of(stored_request(&store).await.uuid(), doc! {});
    let deadline = Instant::now() + Duration::from_secs(5);
    // Each has a session of its own: a session that begins another transaction ends its last one.
    let mut late = Transaction::begin(&store.documents, deadline).await.unwrap();
    let mut next = Transaction::begin(&store.documents, soon()).await.unwrap();
    late.update_all(&store.documents.requests, &[&update]).await.unwrap();
    tokio::time::sleep_until(deadline).await;
    late.abort().await;
    next.update_all(&store.documents.requests, &[&update]).await.unwrap();
    next.abort().await;
    store.documents.database.drop().await.unwrap();
}

#[test]
fn what_no_write_would_survive_alone_is_told_to_all() {
    let timeout = || MongoError::Timeout(Duration::from_secs(1));
    for everybodys in [
        NotCommitted::Unknown(MongoError::MalformedReply),
        NotCommitted::Failed(timeout()),
        NotCommitted::Overtaken(Some(timeout())),
    ] {
        assert!(everybodys.fails_the_whole_batch(), "{everybodys:?}");
    }
    let conflict = || MongoError::Server(112);
    for one in [
        NotCommitted::Duplicate,
        NotCommitted::Overtaken(None),
        NotCommitted::Overtaken(Some(conflict())),
        NotCommitted::Failed(conflict()),
    ] {
        assert!(!one.fails_the_whole_batch(), "{one:?}");
    }
}

/// Queries that are asked at the same time share a round trip, and each has its own rule for what is active.
#[tokio::test(flavor = "multi_thread")]
async fn lookups_of_one_round_trip_do_not_mix() {
    let store = migrated().await;
    let (with, without) = (stored_request(&store).await, stored_request(&store).await);
    let recorded = create(with);
    let DispenseWrite::New { document, query, .. } = &recorded.dispense else { panic!("a create") };
    store.documents.dispenses.insert_one(document).await.unwrap();
    let recorded_at = time(document, INSERTED_AT).unwrap();
    let later = recorded_at.saturating_add(Duration::from_millis(1));
    let ask = |request, active_since| RequestQuery { request, active_since, ..query.clone() };
    let fresh_id = |query: RequestQuery| RequestQuery { id: DispenseId::new(fresh()), ..query };
    let queries = [
        ask(with, None),
        fresh_id(ask(with, Some(recorded_at))),
        fresh_id(ask(with, Some(later))),
        fresh_id(ask(without, None)),
        fresh_id(ask(DeviceRequestId::new(fresh()), None)),
    ];
    let (jobs, answered): (Vec<_>, Vec<_>) = queries.iter().cloned().map(Queued::new).unzip();
    let lookups = crate::reads::ReadExecutor::<crate::writes::RequestLookup>::new(store.documents.clone());
    assert!(lookups.run_batch(jobs).await);
    let expected = [
        (true, true, true),
        (true, false, true),
        (true, false, false),
        (true, false, false),
        (false, false, false),
    ];
    for (place, (answered, expected)) in answered.into_iter().zip(expected).enumerate() {
        let facts = answered.answer().await.unwrap().unwrap().unwrap();
        assert_eq!(
            (facts.request.is_some(), facts.is_id_taken, facts.has_active_dispense),
            expected,
            "{place}"
        );
        let alone = store.request_facts(&queries[place]).await.unwrap();
        let apart = |mut facts: RequestFacts| {
            let basis = std::mem::take(&mut facts.basis);
            (facts, basis.get::<RawDocumentBuf>().cloned())
        };
        assert_eq!(apart(alone), apart(facts), "{place}");
    }
    store.documents.database.drop().await.unwrap();
}
