#![doc = include_str!("../README.md")]

mod client;
mod consumer;
mod error;
mod publisher;
mod renewal;
mod security;
mod settings;
mod topic;

pub use consumer::{ConsumedMessage, KafkaConsumer};
pub use error::BusError;
pub use publisher::KafkaPublisher;
pub use security::{HAS_TLS, PasswordMechanism, Sasl};
pub use settings::KafkaSettings;
pub use topic::ensure_topic;
