//! Killed at the worst moment, nothing is lost.

use esoz_test_servers::{Kafka, shared};
use esoz_testkit::wait::wait_for;
use esoz_tests::process::Process;
use esoz_tests::{Addresses, DEADLINE, Kind, Setup, StopFixture, TestApp, TestStores};
use reqwest::Method;

use crate::{environment, with};

/// A test app whose own server is not asked: it loads and looks on; processes of the same stores are asked instead.
pub(crate) async fn onlooker(kind: Kind, stores: TestStores) -> TestApp {
    let app = Setup::new(kind)
        // Its own relay must not do the work of the ones that are killed.
        .replace(|parts| parts.publisher = std::sync::Arc::new(NoPublisher))
        .variable("ESOZ_EVENTS__POLL_MS", "3600000")
        .start_on(stores)
        .await;
    app.clock.set(esoz_kernel::Clock::now(&esoz_kernel::system::SystemClock));
    app
}

struct NoPublisher;

#[async_trait::async_trait]
impl esoz_events::EventPublisher for NoPublisher {
    async fn publish(
        &self,
        events: &[esoz_events::StatusChangeEvent],
    ) -> Vec<Result<(), esoz_events::PublishError>> {
        let refused = || Err(esoz_events::PublishError::Unavailable("this relay only looks on".to_owned()));
        events.iter().map(|_| refused()).collect()
    }
}

async fn stop_at(app: &TestApp, base: &str, fixture: &StopFixture) -> u16 {
    let request = app.request_at(base, Method::PATCH, &fixture.path()).token(&fixture.token);
    request.send().await.status.as_u16()
}

/// The events of that dispense, once there are any.
pub(crate) async fn delivered(app: &TestApp, fixture: &StopFixture) -> usize {
    wait_for("the event in the topic", DEADLINE, async || {
        let key = fixture.dispense.id.to_string();
        let messages = app.delivered().messages().await;
        let count = messages.iter().filter(|message| message.key == key).count();
        if count == 0 { Err("not there yet".to_owned()) } else { Ok(count) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_between_answer_and_delivery() {
    let mut broker = Kafka::start().unwrap();
    let postgres = shared::postgres();
    let postgres_url = &postgres.create_database().unwrap();
    let (mongodb, kafka) = (shared::mongodb().uri(), broker.brokers().to_owned());
    let stores = TestStores::on(&Addresses::new(postgres, postgres_url, mongodb, &kafka)).await;
    let variables = with(environment(&stores), "ESOZ_KAFKA__DELIVERY_TIMEOUT_MS", "1000");
    let variables = with(variables, "ESOZ_EVENTS__LEASE_MS", "7000");
    let app = onlooker(Kind::Servers, stores).await;
    let fixture = StopFixture::load(&app).await;

    // With the broker away the event cannot have left when the server dies.
    broker.stop().unwrap();
    let (server, base) = Process::serve(&variables);
    assert_eq!(stop_at(&app, &base, &fixture).await, 200);
    server.kill();
    broker.restart().unwrap();

    let (server, base) = Process::serve(&variables);
    assert_eq!(delivered(&app, &fixture).await, 1);
    assert_eq!(stop_at(&app, &base, &fixture).await, 409);
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_right_after_the_answer_on_sqlite() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = with(environment(&stores), "ESOZ_KAFKA__DELIVERY_TIMEOUT_MS", "100");
    let variables = with(variables, "ESOZ_EVENTS__LEASE_MS", "6100");
    let app = onlooker(Kind::Sqlite, stores).await;
    for _ in 0..5 {
        let fixture = StopFixture::load(&app).await;
        let (server, base) = Process::serve(&variables);
        assert_eq!(stop_at(&app, &base, &fixture).await, 200);
        server.kill();
        let (server, base) = Process::serve(&variables);
        assert_eq!(delivered(&app, &fixture).await, 1);
        assert_eq!(stop_at(&app, &base, &fixture).await, 409);
        drop(server);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_deliver_each_event_once_when_none_dies() {
    let stores = TestStores::fresh(Kind::Servers).await;
    let variables = environment(&stores);
    let app = onlooker(Kind::Servers, stores).await;
    let replicas: Vec<(Process, String)> = (0..3).map(|_| Process::serve(&variables)).collect();
    let mut fixtures = Vec::new();
    for index in 0..30 {
        let fixture = StopFixture::load(&app).await;
        assert_eq!(stop_at(&app, &replicas[index % replicas.len()].1, &fixture).await, 200);
        fixtures.push(fixture);
    }
    let keys: Vec<String> = fixtures.iter().map(|fixture| fixture.dispense.id.to_string()).collect();
    let mut delivered = wait_for("every event in the topic", DEADLINE, async || {
        let messages = app.delivered().messages().await;
        let delivered: Vec<String> = messages.into_iter().map(|message| message.key).collect();
        let missing = keys.iter().filter(|key| !delivered.contains(key)).count();
        if missing == 0 { Ok(delivered) } else { Err(format!("{missing} events are missing")) }
    })
    .await;
    let mut expected = keys.clone();
    expected.sort();
    delivered.sort();
    assert_eq!(delivered, expected);
}
