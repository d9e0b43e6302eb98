//! A server that has had something of everything.

use esoz_testkit::wait::wait_for;
use esoz_tests::{DEADLINE, Kind, Scrape, Setup, StopScene, UpdateScene, World};
use reqwest::Method;

/// A world that has had traffic, and what of it must never be seen in a metric.
pub(crate) struct Busy {
    pub(crate) world: World,
    pub(crate) secrets: Vec<String>,
}

/// Starts a server with metrics and caches, and asks it for this and that.
pub(crate) async fn busy(kind: Kind) -> Busy {
    let world = Setup::new(kind).metrics().variable("ESOZ_CACHE__TTL_MS", "60000").start().await;
    let stop = StopScene::load(&world).await;
    let update = UpdateScene::load(&world).await;
    assert_eq!(stop.stop(&world).await.status, 200);
    assert_eq!(stop.stop(&world).await.status, 409);
    assert_eq!(update.update(&world).await.status, 200);
    let unknown = esoz_auth::Secret::new("a token that nobody issued");
    assert_eq!(world.patch(&stop.path()).token(&unknown).send().await.status, 401);
    assert_eq!(world.patch(&stop.path()).send().await.status, 401);
    let token = stop.issue(&world, |token| token.scope = esoz_auth::Scope::parse("a:b")).await;
    assert_eq!(world.patch(&stop.path()).token(&token).send().await.status, 403);
    assert_eq!(world.request(Method::GET, "/a/path/of/nothing").send().await.status, 404);
    let own = Method::from_bytes(b"TEAPOT").unwrap();
    assert_eq!(world.request(own, &stop.path()).send().await.status, 405);
    assert_eq!(world.events_of(&stop.dispense).await.len(), 1);
    let secrets = [
        stop.pharmacy.facts.id.to_string(),
        stop.patient.uuid().to_string(),
        stop.dispense.id.to_string(),
        stop.stored_token.user_id.to_string(),
        update.record.id.to_string(),
        world.pseudonym_of(stop.patient).expose().to_owned(),
    ];
    let spoken = [&stop.token, &update.token, &update.api_key, &unknown];
    let secrets = secrets.into_iter().chain(spoken.iter().map(|secret| secret.expose().to_owned()));
    let secrets = secrets.chain(["a/path/of/nothing".to_owned(), "TEAPOT".to_owned()]).collect();
    Busy { world, secrets }
}

/// Asks for metrics until that holds.
pub(crate) async fn scrape_until(world: &World, what: &str, holds: impl Fn(&Scrape) -> bool) -> Scrape {
    wait_for(what, DEADLINE, async || {
        let scrape = world.scrape().await;
        if holds(&scrape) { Ok(scrape) } else { Err(scrape.text) }
    })
    .await
}

/// Everything behind the server has been looked at, and the relay has been round.
pub(crate) async fn settled(world: &World) -> Scrape {
    let components: &[&str] = match world.kind {
        Kind::Sqlite => &["sqlite"],
        Kind::Servers => &["postgresql", "mongodb", "kafka"],
    };
    scrape_until(world, "everything up and delivered in the metrics", |scrape| {
        components.iter().all(|name| scrape.sum("esoz_component_up", &[("component", name)]) == Some(1.0))
            && scrape.sum("esoz_relay_events_total", &[("outcome", "delivered")]) == Some(1.0)
            && scrape.sum("esoz_outbox_events", &[]) == Some(0.0)
    })
    .await
}
