//! Which jobs a server runs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use esoz_device_dispense::{DeviceDispenses, ExpireDispenses, SweepContainers};
use esoz_events::{Backoff, EventIngestion, Relay, RelayLimits, Retention};
use esoz_kernel::system::RandomIds;
use esoz_kernel::{Clock, IdGenerator};
use tokio::sync::Notify;

use super::bus::broker_backend;
use super::parts::Parts;
use super::stores::store_names;
use crate::components::{KAFKA, SQLITE};
use crate::config::{Bus, Config, VerifierKind, number};
use crate::jobs::{
    ConsumeEvents, ExpireDispensesJob, Job, PurgeEvents, PurgeKeys, RelayEvents, SweepContainersJob,
};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::outage::OutageContext;

/// Builds the jobs: a relay for each outbox, a purge for each store of idempotency keys, what fills and purges the event log, the expiry of
/// dispenses if it is configured, and the sweep of signed documents if they are kept. `dispense_committed` wakes the relay of dispense events.
pub(crate) fn all(
    config: &Config,
    parts: &Parts,
    dispense_committed: &Arc<Notify>,
    metrics: &Arc<Metrics>,
    outages: &OutageContext,
) -> Result<Vec<Box<dyn Job>>> {
    let mut jobs: Vec<Box<dyn Job>> = Vec::new();
    let (log_store, dispense_store) = store_names(config)?;
    let events = &config.sections.events;
    let limits = RelayLimits {
        lease: Duration::from_millis(events.lease_ms),
        max_entities: number(events.max_entities)?,
        backoff: backoff(config),
    };
    let bus_name = if config.bus()? == Bus::Kafka { KAFKA } else { SQLITE };
    let mut doorbells = std::iter::once(dispense_committed.clone());
    for (store, outbox) in &parts.stores.outboxes {
        // An id of its own even where a test generates the others: two relays with one id would claim each other's events.
        let id = RandomIds.fresh();
        let relay = Relay::new(outbox.clone(), parts.publisher.clone(), parts.clock.clone(), limits, id);
        let doorbell = doorbells.next().unwrap_or_default();
        let poll = Duration::from_millis(events.poll_ms);
        let bus_log = outages.calls_of(bus_name);
        jobs.push(Box::new(RelayEvents::new(store, relay, doorbell, poll, metrics.clone(), bus_log)));
    }
    for (store, keys) in &parts.stores.keys {
        jobs.push(Box::new(PurgeKeys { store, keys: keys.clone(), clock: parts.clock.clone() }));
    }
    if events.store {
        let log = &parts.stores.event_log;
        if let (Some(broker), Some(group)) = (broker_backend(config)?, config.consumer_group()?) {
            let consumer = broker.consumer(config, group)?;
            let ingestion = EventIngestion::new(log.clone(), events.skip_entity_types.clone());
            jobs.push(Box::new(ConsumeEvents::new(
                log_store,
                consumer,
                ingestion,
                metrics,
                outages.calls_of(KAFKA),
            )));
        }
        let keep = Duration::from_hours(24 * events.keep_days);
        let retention = Retention { keep, keep_count: events.keep_count };
        jobs.push(Box::new(PurgeEvents::new(log_store, log.clone(), parts.clock.clone(), retention)));
    }
    let Parts { stores, clock, ids, .. } = parts;
    if let Some(expire) = expiry(config, &stores.dispenses, clock, ids)? {
        let pause = Duration::from_secs(config.sections.device_dispense.expire_every_s);
        jobs.push(Box::new(ExpireDispensesJob::new(dispense_store, expire, pause, metrics)));
    }
    if config.verifier_kind()? != VerifierKind::None {
        let media = &config.sections.media;
        let sweep = SweepContainers {
            dispenses: stores.dispenses.clone(),
            media: parts.media.clone(),
            clock: clock.clone(),
            calendar: parts.calendar.clone(),
        };
        let pause = Duration::from_secs(media.sweep_every_s);
        let days = number(media.sweep_days)?;
        jobs.push(Box::new(SweepContainersJob::new(dispense_store, sweep, days, pause)));
    }
    Ok(jobs)
}

/// Builds the operation that expires device dispenses; `None` when they do not expire.
pub(crate) fn expiry(
    config: &Config,
    dispenses: &Arc<dyn DeviceDispenses>,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn IdGenerator>,
) -> Result<Option<ExpireDispenses>> {
    let (dispenses, clock, ids) = (dispenses.clone(), clock.clone(), ids.clone());
    Ok(config.expiry()?.map(|(lifetime, system_user)| ExpireDispenses {
        dispenses,
        clock,
        ids,
        lifetime,
        system_user,
    }))
}

/// The pause after consecutive failures.
pub(crate) fn backoff(config: &Config) -> Backoff {
    let events = &config.sections.events;
    Backoff {
        first: Duration::from_millis(events.backoff_first_ms),
        longest: Duration::from_millis(events.backoff_longest_ms),
    }
}
