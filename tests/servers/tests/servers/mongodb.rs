//! MongoDB, killed, and a replica set without its primary.

use bson::{Document, doc};
use esoz_test_servers::{MongoDb, MongoSet};
use esoz_testkit::wait::wait_for_blocking;

use super::{LONG, runs};

#[tokio::test]
async fn mongodb_keeps_its_data_through_a_kill() {
    let mut server = MongoDb::start().unwrap();
    let hello = server.command(doc! { "hello": 1 }).unwrap();
    assert!(hello.get_bool("isWritablePrimary").unwrap());
    assert_eq!(hello.get_str("setName").unwrap(), "rs0");

    let client = mongodb::Client::with_uri_str(server.uri()).await.unwrap();
    let collection = client.database("t").collection::<Document>("t");
    // A transaction: what a replica set has and a lone server has not.
    let mut session = client.start_session().await.unwrap();
    client.database("t").create_collection("t").await.unwrap();
    session.start_transaction().await.unwrap();
    collection.insert_one(doc! { "_id": 1, "answer": 42 }).session(&mut session).await.unwrap();
    session.commit_transaction().await.unwrap();

    let pid = server.pid().unwrap();
    server.stop().unwrap();
    assert!(!runs(pid));
    server.restart().unwrap();
    let found = collection.find_one(doc! { "_id": 1 }).await.unwrap().unwrap();
    assert_eq!(found.get_i32("answer").unwrap(), 42);
}

#[tokio::test]
async fn a_replica_set_goes_on_without_its_primary() {
    let mut set = MongoSet::start(3).unwrap();
    let client = mongodb::Client::with_uri_str(set.uri()).await.unwrap();
    let collection = client.database("t").collection::<Document>("t");
    collection.insert_one(doc! { "_id": 1, "answer": 42 }).await.unwrap();

    let first = set.primary().unwrap();
    set.kill(first).unwrap();
    let second = set.primary().unwrap();
    assert_ne!(first, second);
    let found = collection.find_one(doc! { "_id": 1 }).await.unwrap().unwrap();
    assert_eq!(found.get_i32("answer").unwrap(), 42);

    set.restart(first).unwrap();
    set.step_down(second).unwrap();
    wait_for_blocking("another primary", LONG, || (set.primary().unwrap() != second).then_some(()));
    collection.insert_one(doc! { "_id": 2 }).await.unwrap();
}
