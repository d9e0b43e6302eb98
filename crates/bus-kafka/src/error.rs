//! Translates errors of librdkafka for the operator: by code, never by text.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

/// A failure of Kafka, or of its settings.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A setting is invalid. The error omits its value, which may be a password.
    #[error("the Kafka setting {setting} cannot be used: {reason}")]
    Settings {
        /// Its name: `delivery_timeout_ms`, `tls`, `sasl_mechanism`, `password_file`, `root_certificate_file`, `client_certificate_file` or
        /// `properties`.
        setting: &'static str,
        /// Why it is invalid.
        reason: String,
    },
    /// No broker answered in time, or none was able to.
    #[error("Kafka is unavailable while {attempted}: {reason}")]
    Unavailable {
        /// What was being attempted.
        attempted: String,
        /// librdkafka's code and what it means.
        reason: String,
    },
    /// The brokers refused the request.
    #[error("Kafka refused {attempted}: {reason}")]
    Refused {
        /// What was being attempted.
        attempted: String,
        /// The brokers' code and what it means.
        reason: String,
    },
}

impl BusError {
    /// Refuses a setting.
    pub(crate) fn settings(setting: &'static str, reason: impl Into<String>) -> Self {
        Self::Settings { setting, reason: reason.into() }
    }

    /// Translates an error of the client library.
    pub(crate) fn new(attempted: impl Into<String>, error: &KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(_, _, key, _) => Self::settings(
                "properties",
                format!("librdkafka does not know {key}, or not this value of it"),
            ),
            // The text names the settings that cannot be combined.
            KafkaError::ClientCreation(reason) => {
                Self::settings("properties", format!("librdkafka refuses all settings together: {reason}"))
            }
            other => match code(other) {
                Some(code) => Self::of_code(attempted, code),
                None => Self::Unavailable { attempted: attempted.into(), reason: reason(other) },
            },
        }
    }

    /// Translates a code of the brokers.
    pub(crate) fn of_code(attempted: impl Into<String>, code: RDKafkaErrorCode) -> Self {
        let (attempted, reason) = (attempted.into(), code.to_string());
        if is_unavailability(code) {
            Self::Unavailable { attempted, reason }
        } else {
            Self::Refused { attempted, reason }
        }
    }
}

/// The code of an error and its meaning. Contains nothing of a message.
pub(crate) fn reason(error: &KafkaError) -> String {
    code(error).map_or_else(|| String::from("the Kafka client failed"), |code| code.to_string())
}

fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Whether the brokers refuse this message on every attempt, and only this one.
pub(crate) fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        code(error),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::MessageBatchTooLarge
                | RDKafkaErrorCode::InvalidRecord
        )
    )
}

/// Whether a retry may succeed.
pub(crate) fn is_unavailability(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerDestroy
            | RDKafkaErrorCode::BrokerNotAvailable
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::CoordinatorLoadInProgress
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::NetworkException
            | RDKafkaErrorCode::NotController
            | RDKafkaErrorCode::NotEnoughReplicas
            | RDKafkaErrorCode::NotEnoughReplicasAfterAppend
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::WaitingForCoordinator
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_message_itself_is_refused_for_good() {
        let refused = |code| is_refusal(&KafkaError::MessageProduction(code));
        assert!(refused(RDKafkaErrorCode::MessageSizeTooLarge));
        for code in [
            RDKafkaErrorCode::MessageTimedOut,
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::QueueFull,
            RDKafkaErrorCode::PolicyViolation,
        ] {
            assert!(!refused(code), "{code}");
        }
    }

    #[test]
    fn a_code_is_named_and_says_whether_to_try_again() {
        let gone =
            BusError::new("asking", &KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure));
        assert!(matches!(gone, BusError::Unavailable { .. }));
        assert!(gone.to_string().contains("BrokerTransportFailure"), "{gone}");
        let refused =
            BusError::new("a topic", &KafkaError::AdminOp(RDKafkaErrorCode::TopicAuthorizationFailed));
        assert!(matches!(refused, BusError::Refused { .. }), "{refused}");
    }
}
