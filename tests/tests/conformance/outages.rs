//! P05 and Q04: what is behind the server is down.

use esoz_test_servers::{Durability, Kafka, MongoDb, Postgres, shared};
use esoz_testkit::wait::wait_for;
use esoz_tests::{Addresses, DEADLINE, Kind, Setup, StopFixture, TestApp, TestStores, UpdateFixture};

pub(crate) fn quick_to_give_up(kind: Kind) -> Setup {
    Setup::new(kind)
        .variable("ESOZ_SQLITE__BUSY_TIMEOUT_MS", "300")
        .variable("ESOZ_POSTGRES__CONNECT_TIMEOUT_MS", "500")
        .variable("ESOZ_MONGODB__SERVER_SELECTION_TIMEOUT_MS", "500")
        .variable("ESOZ_KAFKA__DELIVERY_TIMEOUT_MS", "1000")
        .variable("ESOZ_EVENTS__BACKOFF_LONGEST_MS", "200")
}

/// A test app on servers, one of which is the test's own.
pub(crate) async fn app_on(
    postgres: Option<&Postgres>,
    mongodb: Option<&MongoDb>,
    kafka: Option<&Kafka>,
) -> TestApp {
    let address = postgres.map_or_else(|| shared::postgres(), Postgres::address);
    let postgres_url = &address.create_database().unwrap();
    let mongodb = mongodb.map_or_else(|| shared::mongodb().uri(), MongoDb::uri);
    let kafka = kafka.map_or_else(|| shared::kafka().brokers(), Kafka::brokers);
    let stores = TestStores::on(&Addresses::new(address, postgres_url, mongodb, kafka)).await;
    quick_to_give_up(Kind::Servers).start_on(stores).await
}

/// Asks until the answer is another than 503: a store that came back is found again.
pub(crate) async fn until_back(
    what: &str,
    mut ask: impl AsyncFnMut() -> esoz_tests::Answer,
) -> esoz_tests::Answer {
    wait_for(what, DEADLINE, async || {
        let answer = ask().await;
        if answer.status == 503 { Err("503".to_owned()) } else { Ok(answer) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_mongodb_stopped() {
    let mut mongodb = MongoDb::start().unwrap();
    let app = app_on(None, Some(&mongodb), None).await;
    let fixture = StopFixture::load(&app).await;
    mongodb.stop().unwrap();
    fixture.stop(&app).await.assert_unavailable();
    mongodb.restart().unwrap();
    let answer = until_back("MongoDB back", async || fixture.stop(&app).await).await;
    answer.assert_data(&fixture.stopped(&fixture.dispense, crate::NOW_MILLIS));
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_and_q04_postgresql_stopped() {
    let mut postgres = Postgres::start(Durability::On).unwrap();
    let app = app_on(Some(&postgres), None, None).await;
    let stop = StopFixture::load(&app).await;
    let update = UpdateFixture::load(&app).await;
    // The pool has connections by now; they break.
    assert_eq!(update.update(&app).await.status, 200);
    postgres.stop().unwrap();
    stop.stop(&app).await.assert_unavailable();
    update.update(&app).await.assert_unavailable();
    postgres.restart().unwrap();
    let answer = until_back("PostgreSQL back", async || update.update(&app).await).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(stop.stop(&app).await.status, 200);
}

async fn broker_stopped(app: TestApp, mut broker: Kafka) {
    let before = StopFixture::load(&app).await;
    assert_eq!(before.stop(&app).await.status, 200);
    assert_eq!(app.events_of(&before.dispense).await.len(), 1);

    broker.stop().unwrap();
    let fixture = StopFixture::load(&app).await;
    fixture.stop(&app).await.assert_data(&fixture.stopped(&fixture.dispense, crate::NOW_MILLIS));
    assert_eq!(app.stores.backlog().await.unwrap().depth, 1, "the event waits");
    broker.restart().unwrap();
    assert_eq!(app.events_of(&fixture.dispense).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_broker_stopped_servers() {
    let broker = Kafka::start().unwrap();
    broker_stopped(app_on(None, None, Some(&broker)).await, broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_broker_stopped_sqlite() {
    let broker = Kafka::start().unwrap();
    let stores = TestStores::sqlite_with_kafka(broker.brokers());
    broker_stopped(quick_to_give_up(Kind::Sqlite).start_on(stores).await, broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_and_q04_sqlite_file_held_by_another() {
    let app = quick_to_give_up(Kind::Sqlite).start().await;
    let stop = StopFixture::load(&app).await;
    let update = UpdateFixture::load(&app).await;
    let lock = app.test_stores.file().unwrap().lock();
    stop.stop(&app).await.assert_unavailable();
    update.update(&app).await.assert_unavailable();
    drop(lock);
    stop.stop(&app).await.assert_data(&stop.stopped(&stop.dispense, crate::NOW_MILLIS));
    assert_eq!(update.update(&app).await.status, 200);
}
