//! Metrics: what a running server shows, what the table says, and what dashboard and alerts ask for.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod outage;
mod promql;
mod queries;
mod requests;
mod shown;
mod traffic;
