//! A server that has had something of everything.

use esoz_testkit::wait::wait_for;
use esoz_tests::{DEADLINE, Kind, Scrape, Setup, StopFixture, TestApp, UpdateFixture};
use reqwest::Method;

/// A test app that has had traffic, and what of it must never be seen in a metric.
pub(crate) struct Busy {
    pub(crate) app: TestApp,
    pub(crate) secrets: Vec<String>,
}

/// Starts a server with metrics and caches, and asks it for this and that.
pub(crate) async fn busy(kind: Kind) -> Busy {
    let app = Setup::new(kind)
        .variable("ESOZ_CACHE__TTL_MS", "60000")
        // A century: the job runs, and nothing expires.
        .variable("ESOZ_DEVICE_DISPENSE__LIFETIME_S", "3153600000")
        .variable("ESOZ_DEVICE_DISPENSE__SYSTEM_USER_ID", "5f9a0c1e-7a63-4a51-8a5e-3f7d0c2b1a90")
        .start()
        .await;
    let stop = StopFixture::load(&app).await;
    let update = UpdateFixture::load(&app).await;
    assert_eq!(stop.stop(&app).await.status, 200);
    assert_eq!(stop.stop(&app).await.status, 409);
    assert_eq!(update.update(&app).await.status, 200);
    let unknown = esoz_auth::Secret::new("a token that nobody issued");
    assert_eq!(app.patch(&stop.path()).token(&unknown).send().await.status, 401);
    assert_eq!(app.patch(&stop.path()).send().await.status, 401);
    let token = stop.issue(&app, |token| token.scope = esoz_auth::Scope::parse("a:b")).await;
    assert_eq!(app.patch(&stop.path()).token(&token).send().await.status, 403);
    assert_eq!(app.request(Method::GET, "/a/path/of/nothing").send().await.status, 404);
    let own = Method::from_bytes(b"TEAPOT").unwrap();
    assert_eq!(app.request(own, &stop.path()).send().await.status, 405);
    assert_eq!(app.events_of(&stop.dispense).await.len(), 1);
    let secrets = [
        stop.pharmacy.facts.id.to_string(),
        stop.patient.uuid().to_string(),
        stop.dispense.id.to_string(),
        stop.stored_token.user_id.to_string(),
        update.record.id.to_string(),
        app.pseudonym_of(stop.patient).expose().to_owned(),
    ];
    let spoken = [&stop.token, &update.token, &update.api_key, &unknown];
    let secrets = secrets.into_iter().chain(spoken.iter().map(|secret| secret.expose().to_owned()));
    let secrets = secrets.chain(["a/path/of/nothing".to_owned(), "TEAPOT".to_owned()]).collect();
    Busy { app, secrets }
}

/// Asks for metrics until that holds.
pub(crate) async fn scrape_until(app: &TestApp, what: &str, holds: impl Fn(&Scrape) -> bool) -> Scrape {
    wait_for(what, DEADLINE, async || {
        let scrape = app.scrape().await;
        if holds(&scrape) { Ok(scrape) } else { Err(scrape.text) }
    })
    .await
}

/// Everything behind the server has been looked at, and the relay has been round.
pub(crate) async fn settled(app: &TestApp) -> Scrape {
    let components: &[&str] = match app.kind {
        Kind::Sqlite => &["sqlite"],
        Kind::Servers => &["postgresql", "mongodb", "kafka"],
    };
    scrape_until(app, "everything up and delivered in the metrics", |scrape| {
        components.iter().all(|name| scrape.sum("esoz_component_up", &[("component", name)]) == Some(1.0))
            && scrape.sum("esoz_relay_events_total", &[("outcome", "delivered")]) == Some(1.0)
            && scrape.sum("esoz_outbox_events", &[]) == Some(0.0)
    })
    .await
}
