//! Health checks: probes the stores and the bus periodically, so that `/health/ready` answers at once from the last result.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use esoz_auth::Operation as _;
use esoz_device_dispense::{CompleteDispense, MarkDispenseInError};
use esoz_http::{Condition, DEVICE_DISPENSES, Health, MonotonicClock, RESOURCES};
use esoz_kernel::{Clock, StoreError, StoreErrorKind};
use tokio::task::JoinSet;

use crate::components::{KAFKA, MEDIA_STORAGE, REGISTRIES, SIGNATURE_VERIFIER, TOKEN_ISSUER};
use crate::compose::Parts;
use crate::compose::bus::broker_backend;
use crate::compose::database::Database;
use crate::compose::missing_indexes::{REMEDY, none_missing};
use crate::compose::stores::Stores;
use crate::config::{Config, VerifierKind};
use crate::telemetry::outage::{Due, OutageLog};

/// The pause between two probes of a component.
const PROBE_INTERVAL: Duration = Duration::from_millis(700);
/// The time limit of a probe. With the pause before it an outage is noticed within two seconds.
const PROBE_TIMEOUT: Duration = Duration::from_millis(900);
/// The time limit of Kafka's client. It gives up before the probe does, and says why.
const KAFKA_TIMEOUT: Duration = Duration::from_millis(800);
/// Bounds the count of set-aside events of an outbox, and so the cost of counting.
const MAX_COUNTED: u32 = 1_000;

/// The pause between two checks of what signed documents need, and the time limit of one: it writes, and asks a service that is not ours.
const DOCUMENTS_INTERVAL: Duration = Duration::from_secs(10);
const DOCUMENTS_TIMEOUT: Duration = Duration::from_secs(5);

/// The operations that need signed documents.
const SIGNED: [&str; 2] = [CompleteDispense::NAME, MarkDispenseInError::NAME];

/// The pause between two looks at the indexes.
const INDEX_INTERVAL: Duration = Duration::from_secs(30);

/// What a probe found; none if it learned nothing.
type Found = Option<Result<(), String>>;
type Ping = Pin<Box<dyn Future<Output = Found> + Send>>;

/// The health check of one component.
struct Probe {
    name: &'static str,
    /// The resources whose requests, or the single operations, that fail while the component is down.
    needed_by: &'static [&'static str],
    /// Whether it looks for the indexes of a store, and not whether the store is there.
    is_of_indexes: bool,
    /// The pause between two pings, and the time limit of one.
    interval: Duration,
    timeout: Duration,
    ping: Box<dyn Fn() -> Ping + Send + Sync>,
}

impl Probe {
    /// A probe that pings the component, if it is in use.
    fn new<
        C: Send + Sync + ?Sized + 'static,
        E: Display,
        F: Future<Output = Result<(), E>> + Send + 'static,
    >(
        name: &'static str,
        needed_by: &'static [&'static str],
        component: Option<Arc<C>>,
        ping: impl Fn(Arc<C>) -> F + Send + Sync + 'static,
    ) -> Option<Self> {
        let component = component?;
        let ping = move || -> Ping {
            let pinged = ping(component.clone());
            Box::pin(async move { Some(pinged.await.map_err(|error| error.to_string())) })
        };
        let (interval, timeout) = (PROBE_INTERVAL, PROBE_TIMEOUT);
        Some(Self { name, needed_by, is_of_indexes: false, interval, timeout, ping: Box::new(ping) })
    }

    /// Pings seldom and patiently.
    fn of_documents(self) -> Self {
        Self { interval: DOCUMENTS_INTERVAL, timeout: DOCUMENTS_TIMEOUT, ..self }
    }

    /// A probe that looks for the indexes of a store, if it is in use. While the store is down it finds nothing: the store's own probe says that.
    fn of_indexes<
        C: Send + Sync + ?Sized + 'static,
        F: Future<Output = Result<Vec<String>, StoreError>> + Send + 'static,
    >(
        name: &'static str,
        store: Option<Arc<C>>,
        missing: impl Fn(Arc<C>) -> F + Send + Sync + 'static,
    ) -> Option<Self> {
        let store = store?;
        let ping = move || -> Ping {
            let missing = missing(store.clone());
            Box::pin(async move {
                match missing.await {
                    Err(error) if error.kind() == StoreErrorKind::Unavailable => None,
                    missing => Some(none_missing(missing).map_err(|why| format!("{why}; {REMEDY}"))),
                }
            })
        };
        let (interval, timeout) = (PROBE_INTERVAL, PROBE_TIMEOUT);
        Some(Self { name, needed_by: &[], is_of_indexes: true, interval, timeout, ping: Box::new(ping) })
    }

    /// Probes until aborted.
    async fn run(self, health: Arc<Health>, clock: Arc<dyn Clock>, monotonic_clock: Arc<dyn MonotonicClock>) {
        let Self { name, is_of_indexes, interval, timeout, ping, .. } = self;
        let mut outage = OutageLog::default();
        let mut pause = interval;
        loop {
            let pinged = tokio::time::timeout(timeout, ping()).await;
            let late = || Err(format!("no answer within {} ms", timeout.as_millis()));
            let found = pinged.unwrap_or_else(|_| (!is_of_indexes).then(late));
            let is_up = found.as_ref().is_some_and(Result::is_ok);
            if let Some(found) = found {
                let state = if is_up { Condition::Up } else { Condition::Down };
                let is_new = health.record(name, state, clock.now());
                log(name, is_of_indexes, found, is_new, &mut outage, monotonic_clock.elapsed());
            }
            tokio::time::sleep(pause).await;
            if is_of_indexes {
                pause = next_pause(pause, is_up);
            }
        }
    }
}

/// The pause before the next look at indexes. Those that are about to be created, as at the first start, are soon looked at again.
fn next_pause(pause: Duration, is_up: bool) -> Duration {
    if is_up { INDEX_INTERVAL } else { (pause * 2).min(INDEX_INTERVAL) }
}

/// Logs the result of a probe, if a line is due.
fn log(
    name: &str,
    is_of_indexes: bool,
    found: Result<(), String>,
    is_new: bool,
    outage: &mut OutageLog,
    at: Duration,
) {
    let [up, down, still_down] = if is_of_indexes {
        ["all indexes are there", "indexes are missing", "indexes are still missing"]
    } else {
        ["is up", "is down", "is still down"]
    };
    match found {
        Ok(()) => match outage.worked(at) {
            Some(Due { seconds, .. }) => tracing::info!(name, down_seconds = seconds, "{up}"),
            None if is_new => tracing::info!(name, "{up}"),
            None => {}
        },
        Err(error) => match outage.failed(at, Duration::ZERO, StoreErrorKind::Unavailable) {
            Some(Due { is_first: true, .. }) => tracing::error!(name, error, "{down}"),
            Some(Due { seconds, .. }) => {
                tracing::error!(name, error, down_seconds = seconds, "{still_down}");
            }
            None => {}
        },
    }
}

/// The health checks of the configured stores and bus. They are aborted when this is dropped.
pub(crate) struct HealthChecks {
    /// The last results.
    pub(crate) health: Arc<Health>,
    _tasks: JoinSet<()>,
}

impl HealthChecks {
    /// Starts to probe.
    pub(crate) fn start(config: &Config, parts: &Parts) -> Result<Self> {
        let Parts { stores, clock, monotonic_clock, .. } = parts;
        let Stores { databases, token_issuer, registry_service, .. } = stores.clone();
        // A client of its own: the one that publishes may be waiting for a broker.
        let kafka = broker_backend(config)?.map(|broker| broker.connect(config, Some(KAFKA_TIMEOUT)));
        let kafka = kafka.transpose()?;
        let (verifier, media) = match config.verifier_kind()? {
            VerifierKind::None => (None, None),
            _ => (Some(parts.verifier.clone()), Some(parts.media.clone())),
        };
        let probes = [
            Probe::new(KAFKA, &[], kafka, |kafka| async move { kafka.ping().await }),
            Probe::new(TOKEN_ISSUER, &RESOURCES, token_issuer, |issuer| async move {
                issuer.ping().await.map_err(|error| error.with_causes())
            }),
            Probe::new(SIGNATURE_VERIFIER, &SIGNED, verifier, |verifier| async move {
                verifier.ping().await.map_err(|error| error.with_causes())
            })
            .map(Probe::of_documents),
            Probe::new(MEDIA_STORAGE, &SIGNED, media, |media| async move {
                media.check().await.map_err(|error| error.with_causes())
            })
            .map(Probe::of_documents),
            Probe::new(REGISTRIES, &[DEVICE_DISPENSES], registry_service, |service| async move {
                service.ping().await.map_err(|error| error.with_causes())
            }),
        ];
        let pings = databases.iter().map(database_probe);
        let indexes = databases.iter().map(index_probe);
        let probes: Vec<Probe> = pings.chain(probes).chain(indexes).flatten().collect();
        let components = probes.iter().map(|probe| (probe.name, probe.needed_by));
        let health = Arc::new(Health::new(components, clock.now()));
        let mut tasks = JoinSet::new();
        for probe in probes {
            tasks.spawn(probe.run(health.clone(), clock.clone(), monotonic_clock.clone()));
        }
        tasks.spawn(count_set_aside(stores.clone(), health.clone()));
        Ok(Self { health, _tasks: tasks })
    }
}

/// Asks a database. The causes say what is wrong: the file, the login, the certificate.
fn database_probe(database: &Arc<dyn Database>) -> Option<Probe> {
    Probe::new(database.name(), database.needed_by(), Some(database.clone()), |database| async move {
        database.ping().await.map_err(|error| error.with_causes())
    })
}

/// Looks for the indexes of a database that has any of its own.
fn index_probe(database: &Arc<dyn Database>) -> Option<Probe> {
    let names = database.indexes()?;
    Probe::of_indexes(names.component, Some(database.clone()), |database| async move {
        database.missing_indexes().await
    })
}

/// Counts the events that were set aside, until aborted.
async fn count_set_aside(stores: Stores, health: Arc<Health>) {
    loop {
        let count = async {
            let mut events = 0;
            for (_, outbox) in &stores.outboxes {
                events += outbox.list_set_aside(MAX_COUNTED).await.ok()?.len();
            }
            u64::try_from(events).ok()
        };
        health.record_set_aside(tokio::time::timeout(PROBE_TIMEOUT, count).await.ok().flatten());
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the probe of indexes finds when the store answers so.
    async fn found(kind: Option<StoreErrorKind>, missing: &'static [&str]) -> Found {
        let probe = Probe::of_indexes("indexes", Some(Arc::new(())), move |_| async move {
            let missing = missing.iter().map(ToString::to_string).collect();
            kind.map_or(Ok(missing), |kind| Err(StoreError::new(kind, "asking")))
        });
        (probe.unwrap().ping)().await
    }

    #[tokio::test]
    async fn a_store_that_is_away_says_nothing_about_its_indexes() {
        assert_eq!(found(Some(StoreErrorKind::Unavailable), &[]).await, None);
        assert_eq!(found(None, &[]).await, Some(Ok(())));
        let missing = found(None, &["an_index"]).await.unwrap().unwrap_err();
        assert!(missing.contains("an_index") && missing.contains("`esoz migrate`"), "{missing}");
        assert!(found(Some(StoreErrorKind::Unexpected), &[]).await.unwrap().is_err());
    }

    #[test]
    fn indexes_that_stay_missing_are_looked_at_no_more_often_than_those_that_are_there() {
        let mut pause = PROBE_INTERVAL;
        for _ in 0..6 {
            pause = next_pause(pause, false);
        }
        assert_eq!((pause, next_pause(PROBE_INTERVAL, true)), (INDEX_INTERVAL, INDEX_INTERVAL));
    }
}
