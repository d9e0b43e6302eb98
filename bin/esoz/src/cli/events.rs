use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use esoz_events::{SetAside, Which};
use esoz_kernel::time::rfc3339_millis;
use serde_json::json;

use super::args::{EventsArgs, EventsCommand};
use super::print;
use crate::compose::stores::{Stores, open_sqlite};
use crate::config::{Bus, Config};

/// How many events are read at once.
const PAGE: u32 = 500;
/// How often `--follow` looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// The most events that `--failed` lists of an outbox.
const MAX_LISTED: u32 = 100_000;

pub(crate) async fn run(config: &Config, args: EventsArgs) -> Result<ExitCode> {
    match args.command {
        Some(EventsCommand::Retry { ids, all }) => retry(config, ids, all).await,
        Some(EventsCommand::Drop { id }) => drop_set_aside(config, &id).await,
        None if args.failed => list_set_aside(config).await,
        None => print_delivered(config, args.follow).await,
    }
}

async fn print_delivered(config: &Config, follow: bool) -> Result<ExitCode> {
    if config.bus()? == Bus::Kafka {
        bail!(
            "events go to the Kafka topic {}: read them there (kafka-console-consumer, kcat)",
            config.sections.events.topic
        );
    }
    let store = open_sqlite(config)?;
    let mut after = 0;
    loop {
        let delivered = store.delivered_after(after, PAGE).await.context("reading the delivered events")?;
        for (sequence, event) in &delivered {
            print(event)?;
            after = *sequence;
        }
        if delivered.is_empty() {
            if !follow {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

async fn list_set_aside(config: &Config) -> Result<ExitCode> {
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
    Ok(ExitCode::SUCCESS)
}

async fn retry(config: &Config, ids: Vec<String>, all: bool) -> Result<ExitCode> {
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
            Which::All => tracing::info!("{retried} events are delivered again as soon as a server runs"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn drop_set_aside(config: &Config, id: &str) -> Result<ExitCode> {
    for (_, outbox) in Stores::open(config).await?.outboxes {
        if outbox.drop_set_aside(id).await? {
            return Ok(ExitCode::SUCCESS);
        }
    }
    bail!("no event that was set aside has the id {id}")
}
