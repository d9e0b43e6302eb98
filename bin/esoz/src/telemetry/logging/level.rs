use std::sync::Arc;

use anyhow::{Context as _, Result};
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::reload;

/// The level of a log, which can be changed while lines are written.
#[derive(Clone)]
pub(crate) struct LogLevel {
    level: Level,
    apply: Arc<dyn Fn(Level) -> Result<()> + Send + Sync>,
}

impl LogLevel {
    /// A filter of this level, and what changes it.
    pub(super) fn filter<S: 'static>(level: Level) -> (reload::Layer<Targets, S>, Self) {
        let (filter, handle) = reload::Layer::new(targets(level));
        let apply = move |level| handle.reload(targets(level)).context("changing the log level");
        (filter, Self { level, apply: Arc::new(apply) })
    }

    /// The level that was set last.
    pub(crate) const fn get(&self) -> Level {
        self.level
    }

    /// Changes the level of the log.
    pub(crate) fn set(&mut self, level: Level) -> Result<()> {
        (self.apply)(level)?;
        self.level = level;
        Ok(())
    }
}

/// What is logged at this level.
fn targets(level: Level) -> Targets {
    // Other crates log only from WARN on: at TRACE some print what they send and receive. No configuration lifts this.
    Targets::new()
        .with_default(LevelFilter::WARN)
        // It logs an error for every connection that does not speak HTTP.
        .with_target("actix_http", LevelFilter::OFF)
        .with_target("esoz", LevelFilter::from_level(level))
}
