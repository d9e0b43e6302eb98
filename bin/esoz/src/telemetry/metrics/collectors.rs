//! What is looked at when somebody asks for the metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use esoz_events::Backlog;
use esoz_http::{Condition, Health};
use esoz_kernel::{Clock, PoolStatus};
use tokio::sync::Mutex;

use super::Metrics;
use super::definitions::{
    CACHE_ENTRIES, CACHE_HITS, CACHE_MISSES, COMPONENT_UP, OUTBOX_EVENTS, OUTBOX_OLDEST_AGE,
    OUTBOX_SET_ASIDE, OUTBOX_UP, POOL_CONNECTIONS, POOL_CONNECTIONS_MAX, POOL_WAIT, POOL_WAITING,
};
use crate::compose::caches::CacheCounts;
use crate::compose::stores::Stores;
use crate::telemetry::instrumented_ports::{MONGODB, POSTGRESQL, SQLITE};

/// The stores that have a pool of connections.
pub(crate) const POOLS: [&str; 3] = [SQLITE, POSTGRESQL, MONGODB];
/// Those that tell how many wait for one.
pub(crate) const WAITING_POOLS: [&str; 2] = [SQLITE, POSTGRESQL];
/// Those that tell how long somebody waited for one.
pub(crate) const TIMED_POOLS: [&str; 2] = [POSTGRESQL, MONGODB];

const IDLE: &str = "idle";
const IN_USE: &str = "in_use";
/// What a connection may be.
pub(crate) const POOL_STATES: [&str; 2] = [IDLE, IN_USE];

/// How long a look at the outbox is good for: however many ask, the store is asked no more often than that.
const OUTBOX_LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a look at the outbox may take: whoever asks for metrics waits for it.
const OUTBOX_LOOK_FOR: Duration = Duration::from_secs(1);

/// Everything that numbers are read from when they are asked for.
pub(crate) struct Sampled {
    metrics: Arc<Metrics>,
    stores: Stores,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    caches: CacheCounts,
    outbox: Mutex<Option<(Instant, Option<Backlog>)>>,
}

impl Sampled {
    pub(crate) fn new(
        metrics: &Arc<Metrics>,
        stores: &Stores,
        clock: &Arc<dyn Clock>,
        health: &Arc<Health>,
        caches: CacheCounts,
    ) -> Self {
        // How long somebody waited is told when it happens.
        if let Some(postgres) = &stores.postgres {
            let waits = metrics.histogram(&POOL_WAIT, [POSTGRESQL]);
            postgres.on_waited(move |waited| waits.record(waited.as_secs_f64()));
        }
        if let Some(mongo) = &stores.mongo {
            let waits = metrics.histogram(&POOL_WAIT, [MONGODB]);
            mongo.on_waited(move |waited| waits.record(waited.as_secs_f64()));
        }
        Self {
            metrics: metrics.clone(),
            stores: stores.clone(),
            clock: clock.clone(),
            health: health.clone(),
            caches,
            outbox: Mutex::default(),
        }
    }

    /// All numbers as they are now, in the text format of Prometheus.
    pub(crate) async fn text(&self) -> String {
        self.look_at_components();
        self.look_at_pools();
        self.look_at_caches();
        self.look_at_outbox().await;
        self.metrics.text()
    }

    /// Sorts measured values into their buckets. Until then, or until somebody asks, each takes memory.
    pub(crate) fn tidy(&self) {
        self.metrics.tidy();
    }

    fn look_at_components(&self) {
        for (component, condition) in self.health.conditions() {
            let up = match condition {
                Condition::Up => 1.0,
                Condition::Down => 0.0,
                Condition::Unknown => continue,
            };
            self.metrics.gauge(&COMPONENT_UP, [component]).set(up);
        }
    }

    fn look_at_pools(&self) {
        let Stores { sqlite, postgres, mongo, .. } = &self.stores;
        for (store, status) in [
            (SQLITE, sqlite.as_ref().map(|store| store.pool_status())),
            (POSTGRESQL, postgres.as_ref().map(|store| store.pool_status())),
            (MONGODB, mongo.as_ref().map(|store| store.pool_status())),
        ] {
            let Some(PoolStatus { idle, in_use, max, waiting }) = status else { continue };
            self.metrics.gauge(&POOL_CONNECTIONS, [store, IDLE]).set(float(idle));
            self.metrics.gauge(&POOL_CONNECTIONS, [store, IN_USE]).set(float(in_use));
            self.metrics.gauge(&POOL_CONNECTIONS_MAX, [store]).set(float(max));
            if let Some(waiting) = waiting {
                self.metrics.gauge(&POOL_WAITING, [store]).set(float(waiting));
            }
        }
    }

    fn look_at_caches(&self) {
        for (cache, count) in &self.caches {
            let (stats, entries) = count();
            self.metrics.counter(&CACHE_HITS, [*cache]).absolute(stats.hits);
            self.metrics.counter(&CACHE_MISSES, [*cache]).absolute(stats.misses);
            self.metrics.gauge(&CACHE_ENTRIES, [*cache]).set(float(entries));
        }
    }

    async fn look_at_outbox(&self) {
        // Whoever asks meanwhile waits for this look, and takes it for theirs.
        let mut last = self.outbox.lock().await;
        let is_recent = last.is_some_and(|(at, _)| at.elapsed() < OUTBOX_LOOK_EVERY);
        if !is_recent {
            let looked = tokio::time::timeout(OUTBOX_LOOK_FOR, self.stores.backlog()).await;
            *last = Some((Instant::now(), looked.ok().and_then(Result::ok)));
        }
        let backlog = last.and_then(|(_, backlog)| backlog);
        drop(last);
        let age = |backlog: Backlog| {
            let oldest = backlog.oldest?;
            Some(self.clock.now().duration_since(oldest).as_secs_f64().max(0.0))
        };
        // What is not known is no number.
        let events = backlog.map_or(f64::NAN, |backlog| float(backlog.depth));
        let age = backlog.map_or(f64::NAN, |backlog| age(backlog).unwrap_or_default());
        self.metrics.gauge_alone(&OUTBOX_UP).set(if backlog.is_some() { 1.0 } else { 0.0 });
        self.metrics.gauge_alone(&OUTBOX_EVENTS).set(events);
        self.metrics.gauge_alone(&OUTBOX_OLDEST_AGE).set(age);
        let set_aside = backlog.map_or(f64::NAN, |backlog| float(backlog.set_aside));
        self.metrics.gauge_alone(&OUTBOX_SET_ASIDE).set(set_aside);
    }
}

/// A count as Prometheus has all its numbers. More than four billion are shown as so many.
fn float(count: impl TryInto<u32>) -> f64 {
    count.try_into().unwrap_or(u32::MAX).into()
}
