//! Logs, spans and metrics.

pub(crate) mod instrumented_ports;
pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod outage;
