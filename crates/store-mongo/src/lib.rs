#![doc = include_str!("../README.md")]

mod claims;
mod collections;
mod device_dispense;
mod error;
mod event;
mod fields;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod idempotency;
mod outbox;
mod pool;
#[cfg(test)]
mod properties_tests;
mod schema;
mod set_aside;
mod settings;
mod store;
mod tls;
mod values;

pub use fields::{CHANGES, COLLECTION, KEYS, OUTBOX};
pub use settings::MongoSettings;
pub use store::MongoStore;
