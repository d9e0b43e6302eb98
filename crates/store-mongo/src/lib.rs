#![doc = include_str!("../README.md")]

mod changes;
mod claims;
mod decode;
mod dispenses;
mod documents;
mod encode;
mod error;
mod fields;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod keys;
mod made;
mod outbox;
mod pool;
#[cfg(test)]
mod properties;
mod registry;
mod render;
mod schema;
mod settings;
mod store;

pub use fields::{COLLECTION, KEYS, OUTBOX};
pub use settings::MongoSettings;
pub use store::MongoStore;
