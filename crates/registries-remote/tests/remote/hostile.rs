//! Registries that are down, slow or hostile.

use std::sync::Arc;
use std::time::Instant;

use esoz_https::RemoteServer;
use esoz_kernel::StoreErrorKind::Unavailable;
use esoz_registries_remote::{RegistryKind, RemoteRegistries};
use esoz_testkit::registries::RegistryFixture;
use esoz_testkit::wait::wait_for;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::sync::watch;

use crate::support::{
    DEADLINE, Log, Reply, TOKEN, TestRegistry, TestServer, look_up, remote, remote_with, settings,
};

#[tokio::test]
async fn given_a_connection_that_breaks_then_the_registry_is_away() {
    let fixture = RegistryFixture::build();
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\":{}}".to_vec();
    let cut_404 = b"HTTP/1.1 404 Not Found\r\ncontent-length: 100\r\n\r\n{}".to_vec();
    for bytes in [Vec::new(), cut, cut_404] {
        let server = TestServer::start(Reply::Raw(bytes)).await;
        for kind in RegistryKind::ALL {
            assert_eq!(look_up(&remote(&server), kind, &fixture).await, Err(Unavailable), "{kind}");
        }
    }
    // A port that is taken, so that nobody else comes to listen there, and that nobody listens on.
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let refusing = RemoteRegistries::settings(format!("http://{}/", taken.local_addr().unwrap()));
    let refused = look_up(&remote_with(&refusing), RegistryKind::Persons, &fixture).await;
    assert_eq!(refused, Err(Unavailable));
}

#[tokio::test]
async fn given_an_outage_then_lookups_fail_and_work_again_after_it() {
    let fixture = RegistryFixture::build();
    let registry = TestRegistry::with(&fixture).await;
    let server = TestServer::start(registry.reply()).await;
    let remote = remote(&server);
    for kind in RegistryKind::ALL {
        assert_eq!(look_up(&remote, kind, &fixture).await, Ok(1), "{kind}");
        server.set(Reply::Raw(Vec::new()));
        assert_eq!(look_up(&remote, kind, &fixture).await, Err(Unavailable), "{kind}");
        server.set(registry.reply());
        assert_eq!(look_up(&remote, kind, &fixture).await, Ok(1), "{kind}");
    }
}

#[tokio::test]
async fn given_a_registry_that_takes_its_time_then_it_does_not_take_ours() {
    let fixture = RegistryFixture::build();
    for reply in [Reply::Silence, Reply::Drip] {
        let server = TestServer::start(reply).await;
        let remote = remote_with(&RemoteServer { timeout_ms: 200, ..settings(&server) });
        for kind in [RegistryKind::Employees, RegistryKind::Persons] {
            let started = Instant::now();
            assert_eq!(look_up(&remote, kind, &fixture).await, Err(Unavailable));
            assert!(started.elapsed() < DEADLINE / 2, "{:?}", started.elapsed());
        }
    }
}

#[tokio::test]
async fn given_an_answer_that_is_too_large_then_the_registry_is_away() {
    let fixture = RegistryFixture::build();
    let body = json!({"error": "x".repeat(100)}).to_string();
    for (limit, is_read) in [(body.len(), true), (body.len() - 1, false)] {
        let server = TestServer::start(Reply::Json(404, body.clone())).await;
        let remote = remote_with(&RemoteServer { max_answer_bytes: limit, ..settings(&server) });
        let found = look_up(&remote, RegistryKind::MedicalPrograms, &fixture).await;
        assert_eq!(found.is_ok(), is_read, "{limit}");
    }
}

#[tokio::test]
async fn given_a_redirect_then_nobody_else_is_asked() {
    let fixture = RegistryFixture::build();
    let other = TestServer::start(TestRegistry::with(&fixture).await.reply()).await;
    let location = other.url("/api/elsewhere");
    let redirect = format!(
        "HTTP/1.1 307 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let server = TestServer::start(Reply::Raw(redirect.into_bytes())).await;
    for kind in RegistryKind::ALL {
        assert_eq!(look_up(&remote(&server), kind, &fixture).await, Err(Unavailable), "{kind}");
    }
    assert_eq!(other.requests(), 0);
}

#[tokio::test]
async fn given_more_lookups_than_may_run_then_they_wait() {
    let fixture = RegistryFixture::build();
    let (release, released) = watch::channel(false);
    let sound = TestRegistry::with(&fixture).await.reply();
    let server = TestServer::start(Reply::Held(Box::new(sound), released)).await;
    let remote = Arc::new(remote_with(&RemoteServer { max_concurrent_requests: 2, ..settings(&server) }));
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (remote, fixture) = (remote.clone(), fixture.clone());
            tokio::spawn(async move { look_up(&remote, RegistryKind::Employees, &fixture).await })
        })
        .collect();
    wait_for("two requests", DEADLINE, async || (server.requests() >= 2).then_some(())).await;
    release.send(true).unwrap();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok(1));
    }
    assert_eq!((server.requests(), server.most_at_once()), (10, 2));
}

#[tokio::test]
async fn what_is_personal_is_not_logged() {
    let (log, _guard) = Log::capture();
    let fixture = RegistryFixture::build();
    let sound = TestRegistry::with(&fixture).await.reply();
    for reply in [sound, Reply::ok("canary"), Reply::Json(503, "canary".to_owned())] {
        let server = TestServer::start(reply).await;
        for kind in RegistryKind::ALL {
            // Whatever comes of it.
            let _ = look_up(&remote(&server), kind, &fixture).await;
        }
    }
    tracing::info!("the end");
    let logged = log.text();
    assert!(logged.contains("the end"), "{logged}");
    let digest = fixture.party.facts.drfo.as_ref().unwrap().expose();
    let (user, party) = (fixture.user.to_string(), fixture.party.facts.id.to_string());
    for personal in [fixture.person.subject.expose(), digest, &user, &party, TOKEN, "canary"] {
        assert!(!logged.contains(personal), "{personal}: {logged}");
    }
}
