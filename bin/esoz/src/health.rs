//! Looks at everything behind the server, over and over, so that whoever asks for its health need not wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use esoz_bus_kafka::{KafkaPublisher, KafkaSettings};
use esoz_http::{Condition, Health};
use esoz_kernel::Clock;
use tokio::task::JoinSet;

use crate::compose::bus::kafka_settings;
use crate::compose::stores::Stores;
use crate::config::{Bus, Config};
use crate::telemetry::instrumented_ports::{KAFKA, MONGODB, POSTGRESQL, SQLITE};

/// Between two looks at the same thing.
const LOOK_EVERY: Duration = Duration::from_millis(700);
/// How long a look may take. With the pause before it an outage is noticed within two seconds.
const LOOK_FOR: Duration = Duration::from_millis(900);

type Look = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Something behind the server.
struct Thing {
    name: &'static str,
    /// Whether requests fail without it.
    needed: bool,
    look: Box<dyn Fn() -> Look + Send + Sync>,
}

fn thing<E, F>(name: &'static str, needed: bool, look: impl Fn() -> F + Send + Sync + 'static) -> Thing
where
    E: std::fmt::Display,
    F: Future<Output = Result<(), E>> + Send + 'static,
{
    let look = move || -> Look {
        let looking = look();
        Box::pin(async move { looking.await.map_err(|error| error.to_string()) })
    };
    Thing { name, needed, look: Box::new(look) }
}

/// Looks at the configured stores and bus for as long as it lives.
pub(crate) struct Watch {
    /// What it saw last.
    pub(crate) health: Arc<Health>,
    _looking: JoinSet<()>,
}

impl Watch {
    /// Starts to look.
    pub(crate) fn start(config: &Config, stores: &Stores, clock: &Arc<dyn Clock>) -> Result<Self> {
        let things = things(config, stores)?;
        let named = things.iter().map(|thing| (thing.name, thing.needed));
        let health = Arc::new(Health::new(named, clock.now()));
        let mut looking = JoinSet::new();
        for thing in things {
            looking.spawn(watch(thing, health.clone(), clock.clone()));
        }
        looking.spawn(count_set_aside(stores.clone(), health.clone()));
        Ok(Self { health, _looking: looking })
    }
}

fn things(config: &Config, stores: &Stores) -> Result<Vec<Thing>> {
    let mut things = Vec::new();
    if let Some(sqlite) = stores.sqlite.clone() {
        things.push(thing(SQLITE, true, move || {
            let sqlite = sqlite.clone();
            async move { sqlite.ping().await }
        }));
    }
    if let Some(postgres) = stores.postgres.clone() {
        things.push(thing(POSTGRESQL, true, move || {
            let postgres = postgres.clone();
            async move { postgres.ping().await }
        }));
    }
    if let Some(mongo) = stores.mongo.clone() {
        things.push(thing(MONGODB, true, move || {
            let mongo = mongo.clone();
            async move { mongo.ping().await }
        }));
    }
    if config.bus()? == Bus::Kafka {
        // A client of its own: the one that publishes may be waiting for a broker.
        let request_timeout_ms = u32::try_from(LOOK_FOR.as_millis()).unwrap_or(u32::MAX);
        let kafka = KafkaPublisher::new(&KafkaSettings { request_timeout_ms, ..kafka_settings(config)? })?;
        let kafka = Arc::new(kafka);
        things.push(thing(KAFKA, false, move || {
            let kafka = kafka.clone();
            async move { kafka.ping().await }
        }));
    }
    Ok(things)
}

/// The most set-aside events that are counted of an outbox: to look costs the less.
const MAX_COUNTED: u32 = 1_000;

/// Counts the events that were set aside.
async fn count_set_aside(stores: Stores, health: Arc<Health>) {
    loop {
        let count = async {
            let mut events = 0;
            for (_, outbox) in &stores.outboxes {
                events += outbox.list_set_aside(MAX_COUNTED).await.ok()?.len();
            }
            u64::try_from(events).ok()
        };
        health.note_set_aside(tokio::time::timeout(LOOK_FOR, count).await.ok().flatten());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn watch(thing: Thing, health: Arc<Health>, clock: Arc<dyn Clock>) {
    let Thing { name, look, .. } = thing;
    loop {
        let seen = tokio::time::timeout(LOOK_FOR, look()).await;
        let seen = seen.unwrap_or_else(|_| Err(format!("no answer within {} ms", LOOK_FOR.as_millis())));
        let state = if seen.is_ok() { Condition::Up } else { Condition::Down };
        if health.record(name, state, clock.now()) {
            match seen {
                Ok(()) => tracing::info!(name, "is up"),
                Err(error) => tracing::error!(name, error, "is down"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
