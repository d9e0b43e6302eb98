//! The jobs of a server.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Result;
use esoz_events::{Backoff, EventPublisher, Outbox, Relay, RelayLimits};
use esoz_kernel::system::RandomIds;
use esoz_kernel::{Clock, IdGenerator as _};
use tokio::sync::Notify;

use super::stores::{Stores, number};
use crate::config::Config;
use crate::jobs::{Job, PurgeKeys, RelayEvents};
use crate::telemetry::metrics::{Metrics, Rounds};

/// The work beside the requests. `doorbell` is rung by changes of dispenses.
pub(crate) fn of_server(
    config: &Config,
    stores: &Stores,
    publisher: &Arc<dyn EventPublisher>,
    clock: &Arc<dyn Clock>,
    doorbell: &Arc<Notify>,
    metrics: &Arc<Metrics>,
) -> Result<Vec<Box<dyn Job>>> {
    let mut jobs: Vec<Box<dyn Job>> = Vec::new();
    let mut doorbells = std::iter::once(doorbell.clone());
    for (store, outbox) in &stores.outboxes {
        jobs.push(Box::new(RelayEvents {
            store,
            relay: relay(config, outbox, publisher, clock)?,
            doorbell: doorbells.next().unwrap_or_default(),
            poll: Duration::from_millis(config.sections.events.poll_ms),
            rounds: Rounds::new(metrics),
            started: Instant::now(),
            is_failing: AtomicBool::default(),
        }));
    }
    for (store, keys) in &stores.keys {
        jobs.push(Box::new(PurgeKeys { store, keys: keys.clone(), clock: clock.clone() }));
    }
    Ok(jobs)
}

fn relay(
    config: &Config,
    outbox: &Arc<dyn Outbox>,
    publisher: &Arc<dyn EventPublisher>,
    clock: &Arc<dyn Clock>,
) -> Result<Relay> {
    let events = &config.sections.events;
    let limits = RelayLimits {
        lease: Duration::from_millis(events.lease_ms),
        max_entities: number(events.max_entities)?,
        backoff: backoff(config),
    };
    // Its own id even where a test gives out the others: two relays with one id would hand each other's work out twice.
    let id = RandomIds.fresh();
    Ok(Relay::new(outbox.clone(), publisher.clone(), clock.clone(), limits, id))
}

/// How long to wait after failures in a row.
pub(crate) fn backoff(config: &Config) -> Backoff {
    let events = &config.sections.events;
    let (first, longest) = (events.backoff_first_ms, events.backoff_longest_ms);
    Backoff { first: Duration::from_millis(first), longest: Duration::from_millis(longest) }
}
