//! The export of spans to the configured collector, by OTLP.

use anyhow::{Context as _, Result};
use esoz_tls::Transport;

pub(crate) use esoz_otlp::Export;

use crate::config::Config;

/// Starts the export, if spans are exported. Must be called inside a Tokio runtime.
pub(crate) fn start(config: &Config) -> Result<Option<Export>> {
    let export = config.otlp()?.map(|settings| Export::start(&settings)).transpose();
    export.context("`tracing`")
}

/// How the collector is reached, if there is one.
pub(crate) fn transport(config: &Config) -> Result<Option<Transport>> {
    Ok(config.otlp()?.map(|settings| settings.transport()).transpose()?)
}
