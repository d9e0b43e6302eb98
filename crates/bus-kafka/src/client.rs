//! What every client of Kafka needs.

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, error::KafkaError, statistics::Statistics,
    types::RDKafkaErrorCode,
};

use crate::{BusError, error::reason};

/// Takes the client library's log lines to `tracing`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logs;

impl ClientContext for Logs {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::error!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn stats(&self, _: Statistics) {}

    /// What is wrong with the brokers as a whole. What became of an event its publisher is told.
    fn error(&self, error: KafkaError, message: &str) {
        // It says so with every attempt to connect, dozens of times a second; whoever needed a broker gets an error that tells.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            tracing::debug!(target: "librdkafka", "{message}");
            return;
        }
        tracing::warn!(target: "librdkafka", code = reason(&error), "{message}");
    }
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    attempted: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BusError> {
    let stopped = |_| BusError::Unavailable {
        attempted: attempted.to_owned(),
        reason: String::from("the runtime is shutting down"),
    };
    tokio::task::spawn_blocking(work).await.map_err(stopped)
}
