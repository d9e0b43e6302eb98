//! Logging and blocking calls of the Kafka clients.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use esoz_tls::SecretSource;
use rdkafka::{
    ClientContext, client::OAuthToken, config::RDKafkaLogLevel, error::KafkaError, statistics::Statistics,
    types::RDKafkaErrorCode,
};

use crate::{
    BusError, KafkaSettings, Sasl,
    error::{is_unavailability, reason},
};

/// What the client library logs again and again while brokers are away: failed connections, requests and sessions that timed out.
const OUTAGE_FACILITIES: [&str; 3] = [FAIL, "REQTMOUT", "SESSTMOUT"];
/// What it logs failed connections as.
const FAIL: &str = "FAIL";

/// How long after an error the library may take to tell why a connection failed.
const TOLD_WITHIN: Duration = Duration::from_millis(200);

/// How long the library keeps a token: it asks again after four fifths of it. Whoever writes the file renews what it holds in time.
const TOKEN_LIFETIME: Duration = Duration::from_mins(1);

/// Forwards the client library's log lines to `tracing`, and gives it its token. Lines about an outage only at level `debug`: every call that needs a broker fails
/// with the same reason.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs {
    connection_failure: Arc<Mutex<Option<String>>>,
    token: Option<SecretSource>,
}

impl Logs {
    /// The context of a client with these settings.
    pub(crate) fn new(settings: &KafkaSettings) -> Self {
        let token = match &settings.sasl {
            Some(Sasl::Token(token)) => Some(token.clone()),
            Some(Sasl::Password { .. }) | None => None,
        };
        Self { token, ..Self::default() }
    }

    /// Adds to an error why the last connection failed: the library's own code does not say. Blocks until that is known, for a moment at most: the
    /// library tells it on another thread, and often after the error.
    pub(crate) fn explain(&self, error: BusError) -> BusError {
        let BusError::Unavailable { attempted, reason } = error else { return error };
        let until = Instant::now() + TOLD_WITHIN;
        let failure = loop {
            let failure = self.connection_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if failure.is_some() || Instant::now() >= until {
                break failure;
            }
            std::thread::sleep(TOLD_WITHIN / 20);
        };
        let reason = failure.map(|failure| format!("{reason}; {failure}")).unwrap_or(reason);
        BusError::Unavailable { attempted, reason }
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
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let token = self.token.as_ref().ok_or("no token is configured")?.read()?;
        // The library compares with the machine's clock.
        let until = (SystemTime::now() + TOKEN_LIFETIME).duration_since(UNIX_EPOCH)?;
        Ok(OAuthToken {
            token: token.expose().to_owned(),
            // Seen by nobody: the broker takes the name from the token.
            principal_name: String::from("esoz"),
            lifetime_ms: i64::try_from(until.as_millis())?,
        })
    }

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
