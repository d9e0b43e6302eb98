//! Logs go to standard error: one line an event, JSON unless a person reads them.

use std::io::{IsTerminal as _, Write as _, stderr};

use anyhow::{Result, anyhow};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::Config;

/// Starts to log as configured.
pub(crate) fn start(config: &Config) -> Result<()> {
    let level = LevelFilter::from_level(config.log_level()?);
    // The libraries below us say at `info` what only their authors want to know.
    let filter = EnvFilter::new(format!("warn,esoz={level}"));
    let lines =
        tracing_subscriber::fmt().with_writer(stderr).with_env_filter(filter).with_ansi(has_colours());
    let started = if config.log_as_json(stderr().is_terminal())? {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        lines.with_target(false).try_init()
    };
    started.map_err(|error| anyhow!("logging could not be started: {error}"))
}

/// On a terminal, unless its user wants none (no-color.org).
fn has_colours() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Tells why the command failed, with all causes.
pub(crate) fn complain(error: &anyhow::Error) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(stderr(), "esoz: {error:#}");
}
