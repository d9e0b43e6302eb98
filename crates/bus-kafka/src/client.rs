//! What every Kafka client logs and is given, and its blocking calls.

use std::error::Error;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// How long after an error the library may take to log why a connection failed.
const REASON_TIMEOUT: Duration = Duration::from_millis(200);

/// How long the library keeps a token: it asks again after four fifths of it. The writer of the file must renew it before it expires.
const TOKEN_LIFETIME: Duration = Duration::from_mins(1);

/// Forwards the client library's log lines to `tracing`, and gives it its token. Lines about an outage only at level `debug`: every call that needs a
/// broker fails with the same reason.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    connection_failure: Arc<ConnectionFailure>,
    token: Option<SecretSource>,
}

/// Why the last connection failed, if there is none since.
#[derive(Debug, Default)]
struct ConnectionFailure {
    reason: Mutex<Option<String>>,
    /// Notified when there is a reason.
    reason_known: Condvar,
}

impl ConnectionFailure {
    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a reason, for that long at most.
    fn wait(&self, within: Duration) -> Option<String> {
        let waited = self.reason_known.wait_timeout_while(self.reason(), within, |reason| reason.is_none());
        let (reason, _) = waited.unwrap_or_else(PoisonError::into_inner);
        reason.clone()
    }
}

impl Context {
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
        let failure = self.connection_failure.wait(REASON_TIMEOUT);
        let reason = failure.map(|failure| format!("{reason}; {failure}")).unwrap_or(reason);
        BusError::Unavailable { attempted, reason }
    }

    /// Forgets why a connection failed, since there is one now.
    pub(crate) fn forget_failure(&self) {
        *self.connection_failure.reason() = None;
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let token = self.token.as_ref().ok_or("no token is configured")?.read()?;
        // The library compares with the machine's clock.
        let until = (SystemTime::now() + TOKEN_LIFETIME).duration_since(UNIX_EPOCH)?;
        Ok(OAuthToken {
            token: token.expose().to_owned(),
            // Only librdkafka uses it; the broker takes the principal from the token.
            principal_name: String::from("esoz"),
            lifetime_ms: i64::try_from(until.as_millis())?,
        })
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == FAIL {
            // Without the name of the thread before it.
            let failure = message.split_once("]: ").map_or(message, |(_, failure)| failure);
            *self.connection_failure.reason() = Some(failure.to_owned());
            self.connection_failure.reason_known.notify_all();
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
        let context = Context::default();
        let unavailable = || BusError::of_code("asking", RDKafkaErrorCode::OperationTimedOut);
        let refused = || BusError::of_code("asking", RDKafkaErrorCode::TopicAuthorizationFailed);
        let (plain, other) = (unavailable().to_string(), refused().to_string());

        context.log(
            RDKafkaLogLevel::Error,
            "FAIL",
            "[thrd:a:1/bootstrap]: a:1/bootstrap: Connection refused",
        );
        assert_eq!(
            context.explain(unavailable()).to_string(),
            format!("{plain}; a:1/bootstrap: Connection refused")
        );
        assert_eq!(context.explain(refused()).to_string(), other);

        context.forget_failure();
        assert_eq!(context.explain(unavailable()).to_string(), plain);
    }
}
