//! Creates whose registries are kept elsewhere. (Each answer in detail: the tests of `esoz-registries-remote`.)

use esoz_testkit::wait::wait_for;
use esoz_tests::{CreateFixture, DEADLINE, Kind, RegistryServer, Setup, TestApp, on_every_store};

use crate::health::until_ready_is;

/// A server that asks those registries, all of them or these kinds.
fn asking(kind: Kind, registries: &RegistryServer, kinds: &str) -> Setup {
    registries
        .variables(kinds)
        .iter()
        .fold(Setup::new(kind), |setup, (name, value)| setup.variable(name, value))
}

/// The fixture with a request of its own.
async fn next(app: &TestApp, fixture: &CreateFixture) -> CreateFixture {
    CreateFixture { request: fixture.another_request(app).await, ..fixture.clone() }
}

on_every_store! {
    async fn a_dispense_is_created_with_registries_elsewhere_and_not_while_they_are_down(kind) {
        let registries = RegistryServer::start();
        let app = asking(kind, &registries, "").start().await;
        let fixture = CreateFixture::new(&app);
        registries.hold(&fixture.records);
        // Nothing but requests and the token is in the store.
        app.put_device_request(&fixture.request).await;
        app.stores.credentials.add_token(&fixture.stored_token).await.unwrap();
        let created = fixture.create(&app, &fixture.body()).await;
        assert_eq!(created.status, 201, "{}", created.body);
        // A patient whom the registry does not know is not there.
        let stranger = CreateFixture { patient: CreateFixture::new(&app).patient, ..next(&app, &fixture).await };
        stranger.create(&app, &stranger.body()).await.assert_not_found();

        let second = next(&app, &fixture).await;
        registries.set_down(true);
        second.create(&app, &second.body()).await.assert_unavailable();
        let ready = until_ready_is(&app, 503).await;
        assert!(ready.body.to_string().contains("registries is down"), "{}", ready.body);
        registries.set_down(false);
        until_ready_is(&app, 200).await;
        let created = second.create(&app, &second.body()).await;
        assert_eq!(created.status, 201, "{}", created.body);
    }

    async fn some_registries_are_asked_elsewhere_and_the_others_are_in_the_store(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let registries = RegistryServer::start();
        let mut elsewhere = fixture.records.clone();
        elsewhere.employee.facts.is_active = false;
        registries.hold(&elsewhere);
        let body = fixture.body();
        let base = asking(kind, &registries, "employees").start_replica_of(&app).await;
        let refused = fixture.request_at(&app, &base, &body).send().await;
        assert!(refused.status.is_client_error(), "{}", refused.body);
        assert!(refused.body.to_string().contains("mployee"), "{}", refused.body);
        // The employee in the store is active.
        let base = asking(kind, &registries, "medical_programs,persons").start_replica_of(&app).await;
        let created = fixture.request_at(&app, &base, &body).send().await;
        assert_eq!(created.status, 201, "{}", created.body);
    }
}

/// A server that has asked for a program and an employee elsewhere, which it may use again for so long, and cannot ask any more.
async fn with_cached(ttl_ms: &str) -> (TestApp, CreateFixture) {
    let registries = RegistryServer::start();
    let setup = asking(Kind::Sqlite, &registries, "medical_programs,employees");
    let app = setup.variable("ESOZ_REGISTRIES__CACHE_TTL_MS", ttl_ms).start().await;
    let fixture = CreateFixture::load(&app).await;
    registries.hold(&fixture.records);
    let created = fixture.create(&app, &fixture.body()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    registries.set_down(true);
    (app, fixture)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_elsewhere_is_used_again() {
    let (app, fixture) = with_cached("3600000").await;
    let fixture = next(&app, &fixture).await;
    let created = fixture.create(&app, &fixture.body()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let scraped = app.scrape().await;
    for cache in ["medical_programs", "employees"] {
        assert_eq!(scraped.sum("esoz_cache_hits_total", &[("cache", cache)]), Some(1.0), "{cache}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_elsewhere_is_asked_for_again_when_it_is_too_old() {
    let (app, fixture) = with_cached("200").await;
    wait_for("503", DEADLINE, async || {
        let fixture = next(&app, &fixture).await;
        let answer = fixture.create(&app, &fixture.body()).await;
        if answer.status == 503 { Ok(()) } else { Err(answer.status) }
    })
    .await;
}
