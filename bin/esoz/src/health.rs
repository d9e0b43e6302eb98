//! Health checks: probes the stores and the bus periodically, so that `/health/ready` answers at once from the last result.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use esoz_bus_kafka::KafkaSettings;
use esoz_http::{Condition, DEVICE_DISPENSES, Health, MonotonicClock, RESOURCES};
use esoz_kernel::Clock;
use tokio::task::JoinSet;

use crate::compose::Parts;
use crate::compose::bus::KAFKA;
use crate::compose::stores::{MONGODB, MONGODB_INDEXES, POSTGRESQL, POSTGRESQL_INDEXES, SQLITE, Stores};
use crate::compose::tokens::TOKEN_ISSUER;
use crate::compose::{bus, missing_indexes};
use crate::config::{Bus, Config};
use crate::telemetry::outage::{Due, OutageLog};

/// The pause between two probes of a component.
const PROBE_INTERVAL: Duration = Duration::from_millis(700);
/// The time limit of a probe. With the pause before it an outage is noticed within two seconds.
const PROBE_TIMEOUT: Duration = Duration::from_millis(900);
/// The time limit of Kafka's client. It gives up before the probe does, and says why.
const KAFKA_TIMEOUT: Duration = Duration::from_millis(800);
/// Bounds the count of set-aside events of an outbox, and so the cost of counting.
const MAX_COUNTED: u32 = 1_000;

/// The pause between two looks at the indexes.
const INDEX_INTERVAL: Duration = Duration::from_secs(30);

type Ping = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// The health check of one component.
struct Probe {
    name: &'static str,
    /// The resources whose requests fail while the component is down.
    needed_by: &'static [&'static str],
    /// The pause between two probes.
    pause: Duration,
    ping: Box<dyn Fn() -> Ping + Send + Sync>,
}

impl Probe {
    /// A probe that pings the component, if it is in use.
    fn new<C: Send + Sync + 'static, E: Display, F: Future<Output = Result<(), E>> + Send + 'static>(
        name: &'static str,
        needed_by: &'static [&'static str],
        component: Option<Arc<C>>,
        ping: impl Fn(Arc<C>) -> F + Send + Sync + 'static,
    ) -> Option<Self> {
        let component = component?;
        let ping = move || -> Ping {
            let pinged = ping(component.clone());
            Box::pin(async move { pinged.await.map_err(|error| error.to_string()) })
        };
        Some(Self { name, needed_by, pause: PROBE_INTERVAL, ping: Box::new(ping) })
    }

    /// The same, now and then.
    fn every(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Probes until aborted.
    async fn run(self, health: Arc<Health>, clock: Arc<dyn Clock>, monotonic_clock: Arc<dyn MonotonicClock>) {
        let Self { name, pause, ping, .. } = self;
        let mut outage = OutageLog::default();
        loop {
            let pinged = tokio::time::timeout(PROBE_TIMEOUT, ping()).await;
            let pinged =
                pinged.unwrap_or_else(|_| Err(format!("no answer within {} ms", PROBE_TIMEOUT.as_millis())));
            let is_up = pinged.is_ok();
            let state = if is_up { Condition::Up } else { Condition::Down };
            let is_new = health.record(name, state, clock.now());
            log(name, pinged, is_new, &mut outage, monotonic_clock.elapsed());
            // A component that is down is looked at more often, to see it return.
            tokio::time::sleep(if is_up { pause } else { PROBE_INTERVAL }).await;
        }
    }
}

/// Logs the result of a probe, if a line is due.
fn log(name: &str, pinged: Result<(), String>, is_new: bool, outage: &mut OutageLog, at: Duration) {
    match pinged {
        Ok(()) => match outage.worked(at) {
            Some(Due { seconds, .. }) => tracing::info!(name, down_seconds = seconds, "is up"),
            None if is_new => tracing::info!(name, "is up"),
            None => {}
        },
        Err(error) => match outage.failed(at, Duration::ZERO) {
            Some(Due { is_first: true, .. }) => tracing::error!(name, error, "is down"),
            Some(Due { seconds, .. }) => {
                tracing::error!(name, error, down_seconds = seconds, "is still down");
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
        let Stores { sqlite, postgres, mongo, token_issuer, .. } = stores.clone();
        let kafka = match config.bus()? {
            Bus::Log => None,
            Bus::Kafka => {
                // A client of its own: the one that publishes may be waiting for a broker.
                let request_timeout_ms = u32::try_from(KAFKA_TIMEOUT.as_millis())?;
                let settings = KafkaSettings { request_timeout_ms, ..config.kafka()? };
                Some(Arc::new(bus::connect_kafka(config, &settings)?))
            }
        };
        let (postgres_indexes, mongo_indexes) = (postgres.clone(), mongo.clone());
        let probes = [
            // The causes say what is wrong: the file, the login, the certificate.
            Probe::new(SQLITE, &RESOURCES, sqlite, |sqlite| async move {
                sqlite.ping().await.map_err(|error| error.with_causes())
            }),
            Probe::new(POSTGRESQL, &RESOURCES, postgres, |postgres| async move {
                postgres.ping().await.map_err(|error| error.with_causes())
            }),
            Probe::new(MONGODB, &[DEVICE_DISPENSES], mongo, |mongo| async move {
                mongo.ping().await.map_err(|error| error.with_causes())
            }),
            Probe::new(KAFKA, &[], kafka, |kafka| async move { kafka.ping().await }),
            Probe::new(TOKEN_ISSUER, &RESOURCES, token_issuer, |issuer| async move {
                issuer.ping().await.map_err(|error| error.with_causes())
            }),
            Probe::new(POSTGRESQL_INDEXES, &[], postgres_indexes, |postgres| async move {
                missing_indexes::postgres(&postgres)
                    .await
                    .map_err(|why| format!("{why}; {}", missing_indexes::POSTGRESQL_REMEDY))
            })
            .map(|probe| probe.every(INDEX_INTERVAL)),
            Probe::new(MONGODB_INDEXES, &[], mongo_indexes, |mongo| async move {
                missing_indexes::mongo(&mongo)
                    .await
                    .map_err(|why| format!("{why}; {}", missing_indexes::MONGODB_REMEDY))
            })
            .map(|probe| probe.every(INDEX_INTERVAL)),
        ];
        let probes: Vec<Probe> = probes.into_iter().flatten().collect();
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
