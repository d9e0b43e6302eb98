//! What is special to Kafka: outages, what a broker remembers, topics, the consumer. The contract is in `contract.rs`.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod consumer;
mod forgetful;
mod outage;
mod refused;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;
mod topics;

use esoz_bus_kafka::KafkaSettings;

/// Settings for what is to succeed, however slow the machine is.
fn patient(settings: KafkaSettings) -> KafkaSettings {
    KafkaSettings { delivery_timeout_ms: 60_000, request_timeout_ms: 60_000, ..settings }
}
