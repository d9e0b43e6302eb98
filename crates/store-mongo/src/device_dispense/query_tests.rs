//! Plans: no list reads the whole collection, and those that are asked for most are found in their order and counted by an index alone.

use bson::RawDocumentBuf;
use esoz_device_dispense::{
    DeviceDispenses as _, DispenseRegistry as _, DispenseStatus, Search, SearchParameter, Trigger,
};
use esoz_kernel::{IdGenerator as _, LegalEntityId, StoreErrorKind, system::RandomIds, time::rfc3339_millis};
use esoz_testkit::{
    builders::{at_millis, dispense, fresh},
    planned_lists::{PlannedList, planned_lists},
};

use super::{
    super::{commit::SIMPLE, document::from_dispense},
    *,
};
use crate::{MongoSettings, MongoStore, fields::COLLECTION};

/// A store on a database of its own, without indexes.
pub(crate) async fn connected() -> MongoStore {
    let database = format!("esoz_test_{}", RandomIds.fresh().simple());
    let settings = MongoSettings::new(esoz_test_servers::shared::mongodb().uri(), database);
    MongoStore::connect(&settings).await.unwrap()
}

/// What the server says of a command that it has carried out, as text.
async fn explained(store: &MongoStore, command: Document) -> String {
    let explain = doc! { "explain": command, "verbosity": "executionStats" };
    let plan = store.documents.database.run_command(explain).await.unwrap();
    // What the winning plan did, without the plans that were tried.
    let stats = find(&plan, "executionStats").unwrap_or_else(|| panic!("{plan}"));
    stats.to_string()
}

/// The document under that name, at whatever depth.
fn find<'a>(document: &'a Document, name: &str) -> Option<&'a Document> {
    let inner = |value: &'a Bson| match value {
        Bson::Document(inner) => find(inner, name),
        Bson::Array(items) => items.iter().filter_map(Bson::as_document).find_map(|item| find(item, name)),
        _ => None,
    };
    document.get_document(name).ok().or_else(|| document.iter().find_map(|(_, value)| inner(value)))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_found_by_an_index() {
    let store = connected().await;
    store.migrate().await.unwrap();
    let (owner, subjects) = (LegalEntityId::new(fresh()), [(); 100].map(|()| dispense().build().subject));
    let documents: Vec<RawDocumentBuf> = (0..1_000)
        .map(|place| {
            let subject = subjects[place % subjects.len()].clone();
            let status = DispenseStatus::ALL[place % DispenseStatus::ALL.len()];
            let at = rfc3339_millis(at_millis(i64::try_from(place % 7).unwrap()));
            let one = dispense().owner(owner).subject(subject).status(status).field("inserted_at", at.into());
            from_dispense(&one.build()).unwrap()
        })
        .collect();
    store.documents.dispenses.insert_many(documents).await.unwrap();

    let mut faults = Vec::new();
    for PlannedList { filter, index, is_ordered, is_covered } in planned_lists(owner, &subjects[0]) {
        let index = format!("esoz_{index}");
        let with_plan = |mut command: Document| {
            command.extend(doc! { "hint": index_for(&filter), "collation": { "locale": SIMPLE } });
            command
        };
        let conditions = conditions(&filter);
        let find = doc! { "find": COLLECTION, "filter": conditions.clone(), "sort": order(), "limit": 50 };
        let page = explained(&store, with_plan(find)).await;
        let has_index = page.contains(&index) && !page.contains("COLLSCAN");
        if !has_index || page.contains("\"SORT\"") == is_ordered {
            faults.push(format!("{filter:?}: {page}"));
        }
        let pipeline = [doc! { "$match": conditions }, doc! { "$group": { "_id": 1, "n": { "$sum": 1 } } }];
        let count = doc! { "aggregate": COLLECTION, "pipeline": pipeline.to_vec(), "cursor": {} };
        let count = explained(&store, with_plan(count)).await;
        let has_index = count.contains(&index) && !count.contains("COLLSCAN");
        if !has_index || count.contains("\"FETCH\"") == is_covered {
            faults.push(format!("counting {filter:?}: {count}"));
        }
    }
    store.documents.database.drop().await.unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn overdue_dispenses_are_found_in_order_by_the_index_of_those_in_progress() {
    let store = connected().await;
    store.migrate().await.unwrap();
    let documents: Vec<RawDocumentBuf> = (0..100)
        .map(|place| {
            let status = DispenseStatus::ALL[place % DispenseStatus::ALL.len()];
            from_dispense(&dispense().status(status).build()).unwrap()
        })
        .collect();
    store.documents.dispenses.insert_many(documents).await.unwrap();
    let from = DispenseStatus::Unknown.sources(Trigger::AutoExpire);
    let first = Overdue { inserted_at: at_millis(-120_000), id: DispenseId::new(Uuid::nil()) };
    for after in [None, Some(first)] {
        let filter = OverdueFilter { from: from.clone(), inserted_before: at_millis(0), after };
        let find = doc! {
            "find": COLLECTION, "filter": overdue(&filter), "sort": order(), "limit": 50, "hint": IN_PROGRESS,
            "collation": { "locale": SIMPLE },
        };
        let plan = explained(&store, find).await;
        assert!(plan.contains(IN_PROGRESS), "{plan}");
        assert!(!plan.contains("COLLSCAN") && !plan.contains("\"SORT\""), "{plan}");
        let found = store.overdue(&filter, 50).await.unwrap();
        assert_eq!(found.len(), 13, "every eighth of a hundred is in progress");
    }
    store.documents.database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_index_is_missing_is_unavailable_and_reads_nothing() {
    let store = connected().await;
    let one = dispense().build();
    store.put_dispenses(std::slice::from_ref(&one)).await.unwrap();
    let filter = Filter { owner: Some(one.owner), ..Filter::default() };
    let error = store.list(&filter, PageRequest::FIRST).await.unwrap_err();
    store.migrate().await.unwrap();
    let listed = store.list(&filter, PageRequest::FIRST).await;
    store.documents.database.drop().await.unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let told = error.with_causes();
    assert!(told.contains("esoz_owner_inserted_at") && told.contains("`esoz migrate`"), "{told}");
    assert_eq!(listed.unwrap().total_entries, 1);
}

/// Other systems store the ids that are no References as binary as well; this store's import keeps them as text.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_stored_as_binary_is_found() {
    let store = connected().await;
    store.migrate().await.unwrap();
    let (one, episode) = (dispense().build(), fresh());
    store.put_dispenses(std::slice::from_ref(&one)).await.unwrap();
    let set = doc! { "$set": { "context_episode_id": binary(episode) } };
    store.documents.dispenses.update_one(doc! { ID: binary(one.id.uuid()) }, set).await.unwrap();
    let parameter = SearchParameter::find("context_episode_id").unwrap();
    let search = vec![Search { parameter, value: SearchValue::Id(episode) }];
    let filter = Filter { owner: Some(one.owner), search, ..Filter::default() };
    let listed = store.list(&filter, PageRequest::FIRST).await;
    store.documents.database.drop().await.unwrap();
    let Page { mut items, total_entries } = listed.unwrap();
    assert_eq!((items.len(), total_entries), (1, 1));
    assert_eq!(items.remove(0).unwrap().record["context_episode_id"], episode.to_string());
}
