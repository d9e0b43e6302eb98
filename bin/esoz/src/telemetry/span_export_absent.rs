//! In the place of the export of spans, in builds without the feature `otlp`.

use std::future::Ready;
use std::time::Duration;

use anyhow::Result;
use esoz_tls::Transport;
use opentelemetry::trace::noop::NoopTracer;

use crate::config::Config;

/// An export of spans, of which there is none.
pub(crate) enum Export {}

impl Export {
    pub(crate) fn tracer(&self) -> NoopTracer {
        match *self {}
    }

    pub(crate) fn stop(self, _within: Duration) -> Ready<()> {
        match self {}
    }
}

/// Refuses a configuration with a collector.
pub(crate) fn start(config: &Config) -> Result<Option<Export>> {
    config.require_span_export().map(|()| None)
}

/// Refuses a configuration with a collector.
pub(crate) fn transport(config: &Config) -> Result<Option<Transport>> {
    config.require_span_export().map(|()| None)
}
