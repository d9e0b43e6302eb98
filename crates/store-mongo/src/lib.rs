#![doc = include_str!("../README.md")]

mod claims;
mod collections;
mod device_dispense;
mod device_request;
mod error;
mod event;
mod fields;
mod fingerprint;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod idempotency;
mod indexes;
mod outbox;
mod pool;
#[cfg(test)]
mod properties_tests;
mod reads;
mod scan;
mod schema;
mod set_aside;
mod settings;
mod store;
mod tls;
mod values;
mod waiting;
mod writes;

pub use fields::{BEFORE, CHANGES, COLLECTION, KEYS, OUTBOX, REQUESTS, WRONG_CODES};
pub use settings::MongoSettings;
pub use store::MongoStore;
