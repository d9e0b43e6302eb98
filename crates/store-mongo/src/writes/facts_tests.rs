use esoz_device_dispense::{DispenseRegistry as _, DispenseWrites as _};
use esoz_kernel::DeviceRequestId;
use esoz_registries::Registry as _;
use esoz_testkit::builders::{create_of, device_request, dispense_of};

use super::*;
use crate::{device_dispense::query::tests::connected, fields::BY_REQUEST};

/// The server's plan, in text.
async fn explained(store: &crate::MongoStore, collection: &str, pipeline: Vec<Document>) -> String {
    let aggregate = doc! {
        "aggregate": collection, "pipeline": pipeline, "cursor": {}, "collation": { "locale": "simple" },
    };
    let explain = doc! { "explain": aggregate, "verbosity": "executionStats" };
    store.documents.database.run_command(explain).await.unwrap().to_string()
}

/// As other systems store it: the server's join compares values of one type alone.
#[tokio::test(flavor = "multi_thread")]
async fn each_dispense_of_a_batch_has_its_request_when_the_id_is_stored_as_text() {
    let store = connected().await;
    store.migrate().await.unwrap();
    let requests: Vec<_> = (0..4).map(|_| device_request()).collect();
    store.put(&requests).await.unwrap();
    let dispenses: Vec<_> = requests.iter().map(|request| dispense_of(&request.facts).build()).collect();
    store.put_dispenses(&dispenses).await.unwrap();
    for place in [0, 2] {
        let text = requests[place].facts.id.to_string();
        let set = doc! { "$set": { REQUEST: text } };
        let id = doc! { ID: binary(dispenses[place].id.uuid()) };
        assert_eq!(store.documents.dispenses.update_one(id, set).await.unwrap().modified_count, 1);
    }
    let ids: Vec<DispenseId> = dispenses.iter().map(|dispense| dispense.id).collect();
    let found = DispenseLookup::read(&store.documents, &ids, store.documents.deadline()).await.unwrap();
    for ((found, id), request) in found.into_iter().zip(ids).zip(&requests) {
        let facts = found.facts(id).unwrap();
        assert_eq!(facts.stored.unwrap().dispense.unwrap().id, id);
        assert_eq!(facts.request.unwrap().unwrap(), request.facts);
    }
    store.documents.database.drop().await.unwrap();
}

/// Whatever else is stored: the request by its id, the dispenses by theirs and by the index of those in progress.
#[tokio::test(flavor = "multi_thread")]
async fn no_lookup_scans_a_collection() {
    let store = connected().await;
    store.migrate().await.unwrap();
    let request = device_request();
    store.put(std::slice::from_ref(&request)).await.unwrap();
    let all: Vec<_> = (0..300).map(|_| dispense_of(&device_request().facts).build()).collect();
    store.put_dispenses(&all).await.unwrap();
    let at = esoz_testkit::builders::at_millis(0);
    let queries = [0, 1].map(|place| create_of(&all[place], request.facts.id, at).query);
    let mut plans = Vec::new();
    for queries in [&queries[..1], &queries] {
        let ids: Vec<_> = queries.iter().map(|query| query.id).collect();
        plans.push(explained(&store, REQUESTS, pipeline(queries)).await);
        plans.push(explained(&store, COLLECTION, joining(&ids)).await);
        let active = vec![doc! { "$match": in_progress(queries.iter()) }];
        let plan = explained(&store, COLLECTION, active).await;
        assert!(plan.contains(BY_REQUEST), "{plan}");
        plans.push(plan);
    }
    let [mut query, _] = queries;
    let facts = store.request_facts(&query).await;
    query.request = DeviceRequestId::new(esoz_testkit::builders::fresh());
    let of_nothing = store.request_facts(&query).await;
    store.documents.database.drop().await.unwrap();
    for plan in plans {
        assert!(!plan.contains("COLLSCAN"), "{plan}");
    }
    assert!(facts.unwrap().is_id_taken && of_nothing.unwrap().request.is_none());
}
