#![doc = include_str!("../README.md")]

mod decode;
mod dispenses;
mod encode;
mod error;
mod fields;
mod outbox;
mod registry;
mod render;
mod schema;
mod settings;
mod store;

pub use fields::{COLLECTION, OUTBOX};
pub use settings::MongoSettings;
pub use store::MongoStore;
