//! The adapter on registries that behave, and on registries that do not.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod answers;
mod cached;
mod contract;
mod hostile;
mod requests;
mod support;
