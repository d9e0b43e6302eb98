//! What is special to MongoDB: kinds of values, crash safety, outages, indexes. The contract is in `contract.rs`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod changes;
mod documents;
#[path = "../support/drawn.rs"]
mod drawn;
mod keys;
mod migration;
mod outage;
mod outbox;
mod registry;
mod scan;
mod set_aside;
mod strict;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod untouched;
mod writes;
mod writes_failures;
mod writes_indexes;
mod writes_killed;
mod writes_outbox;
