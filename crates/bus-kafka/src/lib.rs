#![doc = include_str!("../README.md")]

mod client;
mod client_config;
mod consumer;
mod credentials;
mod error;
mod publisher;
mod renewal;
mod sasl;
mod settings;
mod topic;

pub use consumer::{ConsumedMessage, KafkaConsumer, Lag};
pub use error::BusError;
pub use publisher::KafkaPublisher;
pub use sasl::{HAS_TLS, PasswordMechanism, Sasl};
pub use settings::KafkaSettings;
pub use topic::ensure_topic;
