//! Collects values when Prometheus scrapes: health checks, pools, caches, dropped log lines, outboxes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use esoz_events::Backlog;
use esoz_http::{Condition, Health};
use esoz_kernel::{Clock, PoolStatus};
use esoz_tls::Transport;
use tokio::sync::Mutex;

use super::definitions::{
    CACHE_ENTRIES, CACHE_HITS, CACHE_MISSES, CERTIFICATE_EXPIRES, COMPONENT_UP, LOG_LINES_DROPPED,
    OUTBOX_EVENTS, OUTBOX_OLDEST_AGE, OUTBOX_SET_ASIDE, OUTBOX_UP, POOL_CONNECTIONS, POOL_CONNECTIONS_MAX,
    POOL_STATES, POOL_WAIT, POOL_WAITING, TRANSPORT_VERIFIED,
};
use super::registry::{Metrics, NO_LABELS};
use crate::components::TLS;
use crate::compose::caches::CacheCounts;
use crate::compose::stores::Stores;
use crate::compose::transport::Transports;
use crate::telemetry::logging;
use crate::tls::CertificateReload;

/// How long a backlog is reused: however many scrapers there are, the outboxes are read at most this often.
const BACKLOG_MAX_AGE: Duration = Duration::from_secs(2);
/// The time limit of reading the backlog. A scrape waits for it.
const BACKLOG_TIMEOUT: Duration = Duration::from_secs(1);

/// Collects the values that are read at a scrape.
pub(crate) struct Collectors {
    pub(super) metrics: Arc<Metrics>,
    stores: Stores,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    caches: CacheCounts,
    transports: Arc<Transports>,
    certificate: Option<CertificateReload>,
    /// The last backlog that was read, and when; none if the outboxes could not be read.
    backlog: Mutex<Option<(Instant, Option<Backlog>)>>,
}

impl Collectors {
    pub(crate) fn new(
        metrics: &Arc<Metrics>,
        stores: &Stores,
        clock: &Arc<dyn Clock>,
        health: &Arc<Health>,
        caches: CacheCounts,
        transports: Arc<Transports>,
        certificate: Option<CertificateReload>,
    ) -> Self {
        // Waits are recorded as they happen.
        for database in &stores.databases {
            database.on_waited(&|| {
                let waits = metrics.histogram(&POOL_WAIT, [database.name()]);
                Box::new(move |waited| waits.record(waited.as_secs_f64()))
            });
        }
        Self {
            metrics: metrics.clone(),
            stores: stores.clone(),
            clock: clock.clone(),
            health: health.clone(),
            caches,
            transports,
            certificate,
            backlog: Mutex::default(),
        }
    }

    /// Collects all values and renders all metrics in the Prometheus text format.
    pub(crate) async fn text(&self) -> String {
        self.collect_health();
        self.collect_transports();
        self.collect_certificate();
        self.collect_pools();
        self.collect_caches();
        self.metrics.counter(&LOG_LINES_DROPPED, NO_LABELS).absolute(logging::dropped_lines());
        self.collect_backlog().await;
        self.metrics.text()
    }

    fn collect_health(&self) {
        for (component, condition) in self.health.conditions() {
            let up = match condition {
                Condition::Up => 1.0,
                Condition::Down => 0.0,
                Condition::Unknown => continue,
            };
            self.metrics.gauge(&COMPONENT_UP, [component]).set(up);
        }
    }

    fn collect_transports(&self) {
        for (component, transport) in self.transports.last() {
            let is_safe = !matches!(transport, Transport::Weak(_));
            self.metrics.gauge(&TRANSPORT_VERIFIED, [component]).set(f64::from(u8::from(is_safe)));
        }
    }

    fn collect_certificate(&self) {
        if let Some(expires_at) = self.certificate.as_ref().and_then(CertificateReload::expires_at) {
            let left = expires_at.duration_since(self.clock.now());
            self.metrics.gauge(&CERTIFICATE_EXPIRES, [TLS]).set(left.as_secs_f64());
        }
    }

    fn collect_pools(&self) {
        for database in &self.stores.databases {
            let store = database.name();
            let PoolStatus { idle, in_use, max, waiting } = database.pool_status();
            for (state, connections) in POOL_STATES.into_iter().zip([idle, in_use]) {
                self.metrics.gauge(&POOL_CONNECTIONS, [store, state]).set(float(connections));
            }
            self.metrics.gauge(&POOL_CONNECTIONS_MAX, [store]).set(float(max));
            self.metrics.gauge(&POOL_WAITING, [store]).set(float(waiting));
        }
    }

    fn collect_caches(&self) {
        for (cache, count) in &self.caches {
            let (stats, entries) = count();
            self.metrics.counter(&CACHE_HITS, [*cache]).absolute(stats.hits);
            self.metrics.counter(&CACHE_MISSES, [*cache]).absolute(stats.misses);
            self.metrics.gauge(&CACHE_ENTRIES, [*cache]).set(float(entries));
        }
    }

    async fn collect_backlog(&self) {
        // A concurrent scrape waits for the lock and reuses the backlog.
        let mut last = self.backlog.lock().await;
        if last.is_none_or(|(at, _)| at.elapsed() >= BACKLOG_MAX_AGE) {
            let backlog = tokio::time::timeout(BACKLOG_TIMEOUT, self.stores.backlog()).await;
            *last = Some((Instant::now(), backlog.ok().and_then(Result::ok)));
        }
        let backlog = last.and_then(|(_, backlog)| backlog);
        drop(last);
        let age = |oldest| self.clock.now().duration_since(oldest).as_secs_f64().max(0.0);
        let [up, events, oldest_age, set_aside] = match backlog {
            None => [0.0, f64::NAN, f64::NAN, f64::NAN],
            Some(Backlog { depth, oldest, set_aside }) => {
                [1.0, float(depth), oldest.map_or(0.0, age), float(set_aside)]
            }
        };
        for (metric, value) in [
            (&OUTBOX_UP, up),
            (&OUTBOX_EVENTS, events),
            (&OUTBOX_OLDEST_AGE, oldest_age),
            (&OUTBOX_SET_ASIDE, set_aside),
        ] {
            self.metrics.gauge(metric, NO_LABELS).set(value);
        }
    }
}

/// Converts a count to a Prometheus value. Caps it at `u32::MAX`.
fn float(count: impl TryInto<u32>) -> f64 {
    count.try_into().unwrap_or(u32::MAX).into()
}
