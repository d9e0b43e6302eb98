use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::print;
use crate::cli::EventsArgs;
use crate::config::{Bus, Config};
use crate::stores::open_sqlite;

/// How many events are read at once.
const PAGE: u32 = 500;
/// How often `--follow` looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub(crate) async fn run(config: &Config, args: EventsArgs) -> Result<ExitCode> {
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
            if !args.follow {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
