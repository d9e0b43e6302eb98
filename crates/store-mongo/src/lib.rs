#![doc = include_str!("../README.md")]

mod bson_to_json;
mod claims;
mod collections;
mod decode;
mod device_dispense;
mod encode;
mod error;
mod fields;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod idempotency;
mod outbox;
mod pool;
#[cfg(test)]
mod properties;
mod schema;
mod set_aside;
mod settings;
mod store;

pub use fields::{CHANGES, COLLECTION, KEYS, OUTBOX};
pub use settings::MongoSettings;
pub use store::MongoStore;
