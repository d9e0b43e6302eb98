#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what must not happen ends the run: that is how a fuzzer and a test are told"
)]

mod captured_log;
pub mod corpus;
mod json;
mod secrecy;
mod service;
mod targets;

pub use targets::{Target, all, named};
