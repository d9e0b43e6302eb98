//! What librdkafka says, in words for whoever operates the system: by code, never by text.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

/// Why Kafka could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A setting is wrong. Its value is not repeated: it may be a password.
    #[error("the Kafka setting {setting} {reason}")]
    Settings {
        /// Which, by its name in the settings or in librdkafka.
        setting: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No broker answered in time, or none could.
    #[error("Kafka is unavailable while {attempted}: {reason}")]
    Unavailable {
        /// What was being attempted.
        attempted: String,
        /// librdkafka's code and what it means.
        reason: String,
    },
    /// The brokers answered, and refused.
    #[error("Kafka refused {attempted}: {reason}")]
    Refused {
        /// What was being attempted.
        attempted: String,
        /// The brokers' code and what it means.
        reason: String,
    },
}

impl BusError {
    /// A failure of what was attempted.
    pub(crate) fn new(attempted: impl Into<String>, error: &KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(_, _, key, _) => Self::Settings {
                setting: key.clone(),
                reason: String::from("is not one that librdkafka accepts"),
            },
            // It says which settings do not go together, by name.
            KafkaError::ClientCreation(reason) => Self::Settings {
                setting: String::from("as a whole"),
                reason: format!("is refused: {reason}"),
            },
            other => match code(other) {
                Some(code) => Self::of_code(attempted, code),
                None => Self::Unavailable { attempted: attempted.into(), reason: reason(other) },
            },
        }
    }

    pub(crate) fn of_code(attempted: impl Into<String>, code: RDKafkaErrorCode) -> Self {
        let (attempted, reason) = (attempted.into(), code.to_string());
        if is_unavailability(code) {
            Self::Unavailable { attempted, reason }
        } else {
            Self::Refused { attempted, reason }
        }
    }
}

/// librdkafka's name for the failure, and what it means. Says nothing about a message.
pub(crate) fn reason(error: &KafkaError) -> String {
    code(error).map_or_else(|| String::from("the Kafka client failed"), |code| code.to_string())
}

fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Whether this message is refused whenever it is sent, and others are not.
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

/// Whether the same may succeed later.
fn is_unavailability(code: RDKafkaErrorCode) -> bool {
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
