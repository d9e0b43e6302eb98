//! Logging and blocking calls of the Kafka clients.

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, error::KafkaError, statistics::Statistics,
    types::RDKafkaErrorCode,
};

use crate::{BusError, error::reason};

/// Forwards the client library's log lines to `tracing`.
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

    /// Logs errors of the connection to the brokers. An event's own error goes to its publisher.
    fn error(&self, error: KafkaError, message: &str) {
        // Repeated on every attempt to connect, dozens of times a second; calls that need a broker return the error.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            tracing::debug!(target: "librdkafka", "{message}");
            return;
        }
        tracing::warn!(target: "librdkafka", code = reason(&error), "{message}");
    }
}

/// Runs blocking work on a thread of the blocking pool.
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
