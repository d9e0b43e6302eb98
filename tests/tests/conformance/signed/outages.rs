//! J04 and K15: what signed documents need is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use esoz::Parts;
use esoz_kernel::{CivilDate, StoreError, StoreErrorKind};
use esoz_signed_content::{Container, MediaKey, MediaStorage, SignatureVerifier};
use esoz_test_servers::{Durability, MongoDb, Postgres, shared};
use esoz_tests::{
    Addresses, CreateFixture, Documents, Kind, SignedAction, SignedFixture, TestApp, TestStores,
    on_every_store,
};
use reqwest::Method;

use super::assert_untouched;
use crate::NOW_MILLIS;
use crate::outages::{quick_to_give_up, until_back};

/// Whether a server that is not ours is away.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl Switch {
    fn set_away(&self, is_away: bool) {
        self.0.store(is_away, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), StoreError> {
        let error = || StoreError::new(StoreErrorKind::Unavailable, "asking a server that is away");
        (!self.0.load(Ordering::SeqCst)).then_some(()).ok_or_else(error)
    }
}

/// A port whose server may be away.
struct Switched<P: ?Sized> {
    inner: Arc<P>,
    switch: Switch,
}

#[async_trait]
impl SignatureVerifier for Switched<dyn SignatureVerifier> {
    async fn verify(&self, container: &[u8]) -> Result<Result<Container, &'static str>, StoreError> {
        self.switch.check()?;
        self.inner.verify(container).await
    }
}

#[async_trait]
impl MediaStorage for Switched<dyn MediaStorage> {
    async fn put(&self, key: &MediaKey, container: &[u8]) -> Result<(), StoreError> {
        self.switch.check()?;
        self.inner.put(key, container).await
    }

    async fn get(&self, key: &MediaKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.switch.check()?;
        self.inner.get(key).await
    }

    async fn delete(&self, key: &MediaKey) -> Result<(), StoreError> {
        self.switch.check()?;
        self.inner.delete(key).await
    }

    async fn list(
        &self,
        day: CivilDate,
        after: Option<MediaKey>,
        limit: usize,
    ) -> Result<Vec<MediaKey>, StoreError> {
        self.switch.check()?;
        self.inner.list(day, after, limit).await
    }
}

fn with_verifier(parts: &mut Parts, switch: Switch) {
    parts.verifier = Arc::new(Switched { inner: parts.verifier.clone(), switch });
}

fn with_media(parts: &mut Parts, switch: Switch) {
    parts.media = Arc::new(Switched { inner: parts.media.clone(), switch });
}

/// While it is away both changes are answered 503 and nothing is written; afterwards the same documents do.
async fn away_and_back(kind: Kind, replace: fn(&mut Parts, Switch)) {
    let documents = Documents::new();
    let switch = Switch::default();
    let replaced = switch.clone();
    let app = documents.setup(kind).replace(move |parts| replace(parts, replaced)).start().await;
    let fixtures = [SignedFixture::load(&app, &documents).await, SignedFixture::load(&app, &documents).await];
    let all = SignedAction::ALL.iter().zip(&fixtures);
    switch.set_away(true);
    for (action, fixture) in all.clone() {
        fixture.change(&app, *action).await.assert_unavailable();
        let marked =
            fixture.request(&app, *action, &fixture.content(*action)).header("x-idempotency-key", "one");
        assert_eq!(marked.send().await.status, 503);
    }
    assert_untouched(&app, &documents, &fixtures).await;
    switch.set_away(false);
    for (action, fixture) in all {
        let before = documents.kept();
        let answer =
            fixture.request(&app, *action, &fixture.content(*action)).header("x-idempotency-key", "one");
        let answer = answer.send().await;
        assert_eq!(answer.status, 200, "{:#}", answer.body);
        let kept = documents.kept();
        let key = kept.iter().find(|key| !before.contains(key)).unwrap();
        let data = fixture.changed(*action, &fixture.content(*action), key, NOW_MILLIS);
        assert_eq!(answer.body["data"], data);
        assert_eq!(app.events_of(&fixture.base.dispense).await.len(), 1);
    }
}

on_every_store! {
    async fn j04_verifier_away(kind) {
        away_and_back(kind, with_verifier).await;
    }

    async fn k15_and_j04_media_storage_away(kind) {
        away_and_back(kind, with_media).await;
    }

    async fn j04_no_verifier_is_configured(kind) {
        let documents = Documents::new();
        let app = TestApp::new(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let before = app.test_stores.contents().await;
        for action in SignedAction::ALL {
            fixture.change(&app, action).await.assert_unavailable();
        }
        assert_eq!(app.test_stores.contents().await, before);
    }
}

async fn app_on(documents: &Documents, postgres: Option<&Postgres>, mongodb: Option<&MongoDb>) -> TestApp {
    let address = postgres.map_or_else(|| shared::postgres(), Postgres::address);
    let postgres_url = &address.create_database().unwrap();
    let mongodb = mongodb.map_or_else(|| shared::mongodb().uri(), MongoDb::uri);
    let stores =
        TestStores::on(&Addresses::new(address, postgres_url, mongodb, shared::kafka().brokers())).await;
    let setup = quick_to_give_up(Kind::Servers);
    let setup = documents.variables().iter().fold(setup, |setup, (name, value)| setup.variable(name, value));
    setup.start_on(stores).await
}

/// A create, both changes and the reads are answered 503.
async fn assert_all_unavailable(app: &TestApp, creating: &CreateFixture, fixture: &SignedFixture) {
    creating.create(app, &creating.body()).await.assert_unavailable();
    for action in SignedAction::ALL {
        fixture.change(app, action).await.assert_unavailable();
    }
    let patient = format!("/api/patients/{}/device_dispenses", fixture.base.patient.uuid());
    let one = format!("{patient}/{}", fixture.base.dispense.id);
    for path in [one.as_str(), patient.as_str(), "/api/device_dispenses"] {
        app.request(Method::GET, path).token(&fixture.base.token).send().await.assert_unavailable();
    }
}

async fn assert_back(
    app: &TestApp,
    documents: &Documents,
    creating: &CreateFixture,
    fixture: &SignedFixture,
) {
    let body = creating.body();
    let created = until_back("the store", async || creating.create(app, &body).await).await;
    assert_eq!(created.status, 201, "{:#}", created.body);
    let mark = async || fixture.change(app, SignedAction::MarkInError).await;
    let answer = until_back("the store", mark).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    let content = fixture.content(SignedAction::MarkInError);
    let key = documents.kept_one();
    answer.assert_data(&fixture.changed(SignedAction::MarkInError, &content, &key, NOW_MILLIS));
}

#[tokio::test(flavor = "multi_thread")]
async fn j04_mongodb_away() {
    let documents = Documents::new();
    let mut mongodb = MongoDb::start().unwrap();
    let app = app_on(&documents, None, Some(&mongodb)).await;
    let (creating, fixture) = (CreateFixture::load(&app).await, SignedFixture::load(&app, &documents).await);
    mongodb.stop().unwrap();
    assert_all_unavailable(&app, &creating, &fixture).await;
    assert_eq!(documents.kept(), [""; 0]);
    mongodb.restart().unwrap();
    assert_back(&app, &documents, &creating, &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn j04_postgresql_away() {
    let documents = Documents::new();
    let mut postgres = Postgres::start(Durability::On).unwrap();
    let app = app_on(&documents, Some(&postgres), None).await;
    let (creating, fixture) = (CreateFixture::load(&app).await, SignedFixture::load(&app, &documents).await);
    postgres.stop().unwrap();
    assert_all_unavailable(&app, &creating, &fixture).await;
    assert_eq!(documents.kept(), [""; 0]);
    postgres.restart().unwrap();
    assert_back(&app, &documents, &creating, &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn j04_sqlite_file_held_by_another() {
    let documents = Documents::new();
    let setup = quick_to_give_up(Kind::Sqlite);
    let setup = documents.variables().iter().fold(setup, |setup, (name, value)| setup.variable(name, value));
    let app = setup.start().await;
    let (creating, fixture) = (CreateFixture::load(&app).await, SignedFixture::load(&app, &documents).await);
    let body = creating.body();
    let lock = app.test_stores.file().unwrap().lock();
    creating.create(&app, &body).await.assert_unavailable();
    for action in SignedAction::ALL {
        fixture.change(&app, action).await.assert_unavailable();
    }
    drop(lock);
    assert_eq!(creating.create(&app, &body).await.status, 201);
    // Whether a change took effect that a store failed at is unknown, so that its container stays until it is swept.
    let orphans = documents.kept();
    let answer = fixture.change(&app, SignedAction::MarkInError).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(documents.kept().len(), orphans.len() + 1);
}
