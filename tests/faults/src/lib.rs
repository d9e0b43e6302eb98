//! Workloads against real servers while faults are injected, and a checker that holds stores, audit and topic against what was answered.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a run that cannot go on fails")]

pub mod checker;
pub mod client;
pub mod dispensing;
pub mod fixtures;
pub mod history;
pub mod load;
pub mod page;
mod plot;
pub mod read;
pub mod reopen;
pub mod report;
pub mod requests;
pub mod scenarios;
pub mod server;
pub mod servers;
mod settle;
pub mod state;
pub mod trial;
