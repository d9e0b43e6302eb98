#![doc = include_str!("../README.md")]

mod client;
mod consumer;
mod error;
mod publisher;
mod settings;
mod topic;

pub use consumer::{ConsumedMessage, KafkaConsumer};
pub use error::BusError;
pub use publisher::KafkaPublisher;
pub use settings::KafkaSettings;
pub use topic::ensure_topic;
