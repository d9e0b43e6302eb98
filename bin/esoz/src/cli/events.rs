use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use esoz_events::{SetAside, Which};
use esoz_kernel::time::rfc3339_millis;
use serde_json::json;

use super::args::{EventsArgs, EventsCommand};
use super::print;
use crate::compose::stores::Stores;
use crate::config::{Bus, Config};

/// The page size of reading delivered events.
const PAGE: u32 = 500;
/// The poll interval of `--follow`.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The most events that `--failed` lists of an outbox.
const MAX_LISTED: u32 = 100_000;

/// Prints, retries or drops events.
pub(crate) async fn run(config: &Config, args: EventsArgs) -> Result<()> {
    match args.command {
        Some(EventsCommand::Retry { ids, all }) => retry(config, ids, all).await,
        Some(EventsCommand::Drop { id }) => drop_set_aside(config, &id).await,
        None if args.failed => list_set_aside(config).await,
        None => print_delivered(config, args.follow).await,
    }
}

async fn print_delivered(config: &Config, follow: bool) -> Result<()> {
    if config.bus()? == Bus::Kafka {
        let topic = &config.sections.events.topic;
        bail!("events go to the Kafka topic {topic}: read them there (kafka-console-consumer, kcat)");
    }
    let log = Stores::open(config).await?.log_bus()?;
    let mut after = 0;
    loop {
        let delivered = log.delivered_after(after, PAGE).await.context("reading the delivered events")?;
        for (sequence, event) in &delivered {
            print(event)?;
            after = *sequence;
        }
        if delivered.is_empty() {
            if !follow {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

async fn list_set_aside(config: &Config) -> Result<()> {
    for (store, outbox) in Stores::open(config).await?.outboxes {
        for SetAside { id, entity_type, entity_id, reason, at } in outbox.list_set_aside(MAX_LISTED).await? {
            let set_aside_at = at.map(rfc3339_millis);
            let line = json!({
                "id": id, "entity_type": entity_type, "entity_id": entity_id, "reason": reason,
                "set_aside_at": set_aside_at, "store": store,
            });
            print(&line.to_string())?;
        }
    }
    Ok(())
}

async fn retry(config: &Config, ids: Vec<String>, all: bool) -> Result<()> {
    let outboxes = Stores::open(config).await?.outboxes;
    let which =
        if all { vec![Which::All] } else { ids.into_iter().map(|id| Which::These(vec![id])).collect() };
    for which in which {
        let mut retried = 0;
        for (_, outbox) in &outboxes {
            retried += outbox.retry(&which).await?;
        }
        match which {
            Which::These(ids) if retried == 0 => {
                bail!("no event that was set aside has the id {}", ids.concat())
            }
            Which::These(_) => {}
            Which::All => tracing::info!("{retried} events are retried as soon as a server runs"),
        }
    }
    Ok(())
}

async fn drop_set_aside(config: &Config, id: &str) -> Result<()> {
    for (_, outbox) in Stores::open(config).await?.outboxes {
        if outbox.drop_set_aside(id).await? {
            return Ok(());
        }
    }
    bail!("no event that was set aside has the id {id}")
}
