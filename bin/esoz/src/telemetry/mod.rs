//! Logs, spans and metrics.

pub(crate) mod instrumented_ports;
pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod outage;
#[cfg(feature = "otlp")]
pub(crate) mod span_export;
#[cfg(not(feature = "otlp"))]
#[path = "span_export_absent.rs"]
pub(crate) mod span_export;
