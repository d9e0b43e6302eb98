//! Logging and blocking calls of the Kafka clients.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, error::KafkaError, statistics::Statistics,
    types::RDKafkaErrorCode,
};

use crate::{
    BusError,
    error::{is_unavailability, reason},
};

/// What the client library logs again and again while brokers are away: failed connections, requests and sessions that timed out.
const OUTAGE_FACILITIES: [&str; 3] = [FAIL, "REQTMOUT", "SESSTMOUT"];
/// What it logs failed connections as.
const FAIL: &str = "FAIL";

/// Forwards the client library's log lines to `tracing`. Those about an outage only at level `debug`: every call that needs a broker fails
/// with the same reason.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs {
    connection_failure: Arc<Mutex<Option<String>>>,
}

impl Logs {
    /// Adds to an error why the last connection failed: the library's own code does not say.
    pub(crate) fn explain(&self, error: BusError) -> BusError {
        let failure = self.connection_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (error, failure) {
            (BusError::Unavailable { attempted, reason }, Some(failure)) => {
                BusError::Unavailable { attempted, reason: format!("{reason}; {failure}") }
            }
            (error, _) => error,
        }
    }

    /// Forgets why a connection failed, since there is one now.
    pub(crate) fn forget_failure(&self) {
        self.remember(None);
    }

    fn remember(&self, failure: Option<String>) {
        *self.connection_failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

impl ClientContext for Logs {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == FAIL {
            // Without the name of the thread before it.
            let failure = message.split_once("]: ").map_or(message, |(_, failure)| failure);
            self.remember(Some(failure.to_owned()));
        }
        if OUTAGE_FACILITIES.contains(&facility) {
            tracing::debug!(target: "librdkafka", facility, "{message}");
            return;
        }
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
        // Repeated on every attempt to connect, by each client; calls that need a broker return the error.
        let is_outage = |code| {
            is_unavailability(code)
                || matches!(code, RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)
        };
        if error.rdkafka_error_code().is_some_and(is_outage) {
            tracing::debug!(target: "librdkafka", code = reason(&error), "{message}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_connection_failed_is_in_errors_until_there_is_one_again() {
        let logs = Logs::default();
        let unavailable = || BusError::of_code("asking", RDKafkaErrorCode::OperationTimedOut);
        let refused = || BusError::of_code("asking", RDKafkaErrorCode::TopicAuthorizationFailed);
        let (plain, other) = (unavailable().to_string(), refused().to_string());

        logs.log(RDKafkaLogLevel::Error, "FAIL", "[thrd:a:1/bootstrap]: a:1/bootstrap: Connection refused");
        assert_eq!(
            logs.explain(unavailable()).to_string(),
            format!("{plain}; a:1/bootstrap: Connection refused")
        );
        assert_eq!(logs.explain(refused()).to_string(), other);

        logs.forget_failure();
        assert_eq!(logs.explain(unavailable()).to_string(), plain);
    }
}
