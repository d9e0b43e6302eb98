//! P05 and Q04: what is behind the server is down.

use esoz_test_servers::{Durability, Kafka, MongoDb, Postgres, shared};
use esoz_testkit::wait::wait_for;
use esoz_tests::{Addresses, DEADLINE, Kind, Setup, StopScene, TestStores, UpdateScene, World};

fn quick_to_give_up(kind: Kind) -> Setup {
    Setup::new(kind)
        .variable("ESOZ_SQLITE__BUSY_TIMEOUT_MS", "300")
        .variable("ESOZ_POSTGRES__CONNECT_TIMEOUT_MS", "500")
        .variable("ESOZ_MONGODB__SERVER_SELECTION_TIMEOUT_MS", "500")
        .variable("ESOZ_KAFKA__DELIVERY_TIMEOUT_MS", "1000")
        .variable("ESOZ_EVENTS__BACKOFF_LONGEST_MS", "200")
}

/// A world on servers, one of which is the test's own.
pub(crate) async fn world_on(
    postgres: Option<&Postgres>,
    mongodb: Option<&MongoDb>,
    kafka: Option<&Kafka>,
) -> World {
    let address = postgres.map_or_else(|| shared::postgres(), Postgres::address);
    let postgres_url = &address.create_database().unwrap();
    let mongodb = mongodb.map_or_else(|| shared::mongodb().uri(), MongoDb::uri);
    let kafka = kafka.map_or_else(|| shared::kafka().brokers(), Kafka::brokers);
    let stores = TestStores::on(&Addresses { postgres: address, postgres_url, mongodb, kafka }).await;
    quick_to_give_up(Kind::Servers).start_on(stores).await
}

/// Asks until the answer is another than 503: a store that came back is found again.
async fn until_back(what: &str, mut ask: impl AsyncFnMut() -> esoz_tests::Answer) -> esoz_tests::Answer {
    wait_for(what, DEADLINE, async || {
        let answer = ask().await;
        if answer.status == 503 { Err("503".to_owned()) } else { Ok(answer) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_mongodb_stopped() {
    let mut mongodb = MongoDb::start().unwrap();
    let world = world_on(None, Some(&mongodb), None).await;
    let scene = StopScene::load(&world).await;
    mongodb.stop().unwrap();
    scene.stop(&world).await.assert_unavailable();
    mongodb.restart().unwrap();
    let answer = until_back("MongoDB back", async || scene.stop(&world).await).await;
    answer.assert_data(&scene.stopped(&scene.dispense, crate::NOW_MILLIS));
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_and_q04_postgresql_stopped() {
    let mut postgres = Postgres::start(Durability::On).unwrap();
    let world = world_on(Some(&postgres), None, None).await;
    let stop = StopScene::load(&world).await;
    let update = UpdateScene::load(&world).await;
    // The pool has connections by now; they break.
    assert_eq!(update.update(&world).await.status, 200);
    postgres.stop().unwrap();
    stop.stop(&world).await.assert_unavailable();
    update.update(&world).await.assert_unavailable();
    postgres.restart().unwrap();
    let answer = until_back("PostgreSQL back", async || update.update(&world).await).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(stop.stop(&world).await.status, 200);
}

async fn broker_stopped(world: World, mut broker: Kafka) {
    let before = StopScene::load(&world).await;
    assert_eq!(before.stop(&world).await.status, 200);
    assert_eq!(world.events_of(&before.dispense).await.len(), 1);

    broker.stop().unwrap();
    let scene = StopScene::load(&world).await;
    scene.stop(&world).await.assert_data(&scene.stopped(&scene.dispense, crate::NOW_MILLIS));
    assert_eq!(world.stores.outbox.backlog().await.unwrap().depth, 1, "the event waits");
    broker.restart().unwrap();
    assert_eq!(world.events_of(&scene.dispense).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_broker_stopped_servers() {
    let broker = Kafka::start().unwrap();
    broker_stopped(world_on(None, None, Some(&broker)).await, broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_broker_stopped_sqlite() {
    let broker = Kafka::start().unwrap();
    let stores = TestStores::sqlite_with_kafka(broker.brokers());
    broker_stopped(quick_to_give_up(Kind::Sqlite).start_on(stores).await, broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_and_q04_sqlite_file_held_by_another() {
    let world = quick_to_give_up(Kind::Sqlite).start().await;
    let stop = StopScene::load(&world).await;
    let update = UpdateScene::load(&world).await;
    let lock = world.test_stores.file().unwrap().lock();
    stop.stop(&world).await.assert_unavailable();
    update.update(&world).await.assert_unavailable();
    drop(lock);
    stop.stop(&world).await.assert_data(&stop.stopped(&stop.dispense, crate::NOW_MILLIS));
    assert_eq!(update.update(&world).await.status, 200);
}
