//! What is special to Kafka: outages, fatal errors, topics. The contract is in `contract.rs`.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod fatal;
mod outage;
#[path = "../support/mod.rs"]
mod support;
mod topics;
