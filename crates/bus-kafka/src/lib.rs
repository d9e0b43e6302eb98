#![doc = include_str!("../README.md")]

mod client;
mod error;
mod publisher;
mod settings;
mod topic;

pub use error::BusError;
pub use publisher::KafkaPublisher;
pub use settings::KafkaSettings;
pub use topic::ensure_topic;
