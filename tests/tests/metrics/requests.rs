//! Requests and what they wanted done are counted, however they end.

use std::sync::Arc;

use async_trait::async_trait;
use esoz_kernel::{LegalEntityId, StoreError};
use esoz_legal_entity::{LegalEntities, LegalEntity};
use esoz_testkit::builders::fresh;
use esoz_tests::{Kind, Setup, StopFixture, TestApp, on_every_store, secret_scan};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::traffic::{busy, scrape_until, settled};

const STOP: &str = "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop";
const REQUESTS: &str = "esoz_http_requests_total";
const OUTCOMES: &str = "esoz_use_case_outcomes_total";

/// A port with a mistake in it.
struct Panicking;

#[async_trait]
impl LegalEntities for Panicking {
    async fn find(&self, _: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        panic!("a mistake, made on purpose");
    }
}

/// A port that never answers, and says when it was asked.
struct Silent(Arc<Notify>);

#[async_trait]
impl LegalEntities for Silent {
    async fn find(&self, _: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        self.0.notify_one();
        std::future::pending().await
    }
}

async fn assert_counted(app: &TestApp, method: &str, route: &str, status: &str) {
    let labels = [("method", method), ("route", route), ("status", status)];
    let scrape = scrape_until(app, &format!("{status} for {route}"), |scrape| {
        scrape.sum(REQUESTS, &labels) == Some(1.0)
            && scrape.sum("esoz_http_requests_in_flight", &[]) == Some(0.0)
    })
    .await;
    let timed = scrape.sum("esoz_http_request_duration_seconds_count", &labels[..2]);
    assert_eq!(timed, Some(1.0));
}

on_every_store! {
    async fn each_request_counts_by_verb_route_and_status(kind) {
        let busy = busy(kind).await;
        let scrape = settled(&busy.app).await;
        for (method, route, status, count) in [
            ("PATCH", STOP, "200", 1.0),
            ("PATCH", STOP, "409", 1.0),
            ("PATCH", STOP, "401", 2.0),
            ("PATCH", STOP, "403", 1.0),
            ("PUT", "/api/admin/contract_divisions/{id}", "200", 1.0),
            ("GET", "unmatched", "404", 1.0),
            ("_OTHER", STOP, "405", 1.0),
        ] {
            let labels = [("method", method), ("route", route), ("status", status)];
            assert_eq!(scrape.sum(REQUESTS, &labels), Some(count), "{method} {route} {status}");
        }
    }

    async fn each_use_case_counts_by_its_error(kind) {
        let busy = busy(kind).await;
        let scrape = settled(&busy.app).await;
        for (use_case, outcome, count) in [
            ("authenticate_token", "ok", 4.0),
            ("authenticate_token", "invalid_token", 1.0),
            ("authenticate_token", "no_bearer_token", 1.0),
            ("authenticate_api_key", "ok", 1.0),
            ("stop_device_dispense", "ok", 1.0),
            ("stop_device_dispense", "wrong_status", 1.0),
            ("stop_device_dispense", "missing_allowances", 1.0),
            ("stop_device_dispense", "not_found", 0.0),
            ("update_contract_division", "ok", 1.0),
            ("update_contract_division", "pair_taken", 0.0),
        ] {
            let labels = [("use_case", use_case), ("outcome", outcome)];
            assert_eq!(scrape.sum(OUTCOMES, &labels), Some(count), "{use_case} {outcome}");
        }
    }

    async fn caches_and_the_stores_behind_them_are_told_apart(kind) {
        let busy = busy(kind).await;
        let scrape = settled(&busy.app).await;
        // Six tokens were presented: two of them again, one known to nobody.
        let cache = [("cache", "access_tokens")];
        let hits = scrape.sum("esoz_cache_hits_total", &cache).unwrap();
        let misses = scrape.sum("esoz_cache_misses_total", &cache).unwrap();
        assert_eq!((hits, misses), (1.0, 4.0));
        assert_eq!(scrape.sum("esoz_cache_entries", &cache), Some(3.0), "what nobody knows is not remembered");
        let port = [("port", "access_tokens"), ("outcome", "ok")];
        let calls = scrape.sum("esoz_store_operation_duration_seconds_count", &port);
        assert_eq!(calls, Some(misses), "what the cache knew did not reach the store");
        let stale = [("port", "device_dispenses"), ("operation", "commit"), ("outcome", "stale")];
        assert_eq!(scrape.sum("esoz_store_operation_duration_seconds_count", &stale), Some(1.0));
    }

    async fn pools_tell_their_connections(kind) {
        let busy = busy(kind).await;
        let scrape = settled(&busy.app).await;
        let pools: &[(&str, f64)] = match kind {
            Kind::Sqlite => &[("sqlite", 4.0)],
            Kind::Servers => &[("postgresql", 8.0), ("mongodb", 64.0)],
        };
        for (store, max) in pools {
            let store = ("store", *store);
            assert_eq!(scrape.sum("esoz_pool_connections_max", &[store]), Some(*max));
            let open = scrape.sum("esoz_pool_connections", &[store]).unwrap();
            assert!((1.0..=*max).contains(&open), "{open} connections of {store:?}");
            assert!(scrape.sum("esoz_pool_connections", &[store, ("state", "in_use")]).unwrap() <= open);
            if kind == Kind::Servers {
                assert!(scrape.sum("esoz_pool_wait_duration_seconds_count", &[store]).unwrap() > 0.0);
            }
        }
    }

    async fn headers_over_the_limit_count(kind) {
        let app = Setup::new(kind).variable("ESOZ_HTTP__HEADERS_MAX_BYTES", "2000").start().await;
        app.patch("/nothing").header("x-large", &"x".repeat(2_000)).send().await;
        assert_counted(&app, "PATCH", "unmatched", "431").await;
    }

    async fn a_panic_counts(kind) {
        let setup = Setup::new(kind);
        let app = setup.replace(|parts| parts.stores.legal_entities = Arc::new(Panicking)).start().await;
        StopFixture::load(&app).await.stop(&app).await.assert_internal();
        assert_counted(&app, "PATCH", STOP, "500").await;
    }

    async fn a_request_that_takes_too_long_counts(kind) {
        let setup = Setup::new(kind).variable("ESOZ_HTTP__REQUEST_TIMEOUT_MS", "300");
        let silent = Arc::new(Silent(Arc::default()));
        let app = setup.replace(|parts| parts.stores.legal_entities = silent).start().await;
        StopFixture::load(&app).await.stop(&app).await.assert_unavailable();
        assert_counted(&app, "PATCH", STOP, "503").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_counts() {
    let asked = Arc::new(Notify::new());
    let silent = Arc::new(Silent(asked.clone()));
    let setup = Setup::new(Kind::Sqlite);
    let app = setup.replace(|parts| parts.stores.legal_entities = silent).start().await;
    let fixture = StopFixture::load(&app).await;
    let mut client = TcpStream::connect(app.base().trim_start_matches("http://")).await.unwrap();
    let (path, token) = (fixture.path(), fixture.token.expose());
    let id = fresh().to_string();
    let request = format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: {id}\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    asked.notified().await;
    scrape_until(&app, "a request in flight", |scrape| {
        scrape.sum("esoz_http_requests_in_flight", &[]) == Some(1.0)
    })
    .await;
    // Not just the end of what it sends: it is gone.
    client.set_zero_linger().unwrap();
    drop(client);
    assert_counted(&app, "PATCH", STOP, "499").await;
    // And it has its line, like any other.
    let captured = secret_scan::captured();
    let of_it: Vec<&str> =
        captured.lines().filter(|line| line.contains(&id) && line.contains("\"request\"")).collect();
    let [line] = of_it.as_slice() else { panic!("{of_it:#?}") };
    assert!(line.contains("\"status\":499") && line.contains("INFO"), "{line}");
}
