//! Pages of the book that are made from what the program is. `cargo xtask reference` writes them, a test compares.

mod command_line;
mod errors;
mod metrics;

use anyhow::Result;

pub use crate::telemetry::metrics::definitions::{Described, DescribedLabel, Kind, all as metrics};

/// Every generated page: its place under `docs/`, and its text.
///
/// # Errors
/// When one of them cannot be made.
pub fn pages() -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("reference/command-line.md", command_line::page()?),
        ("reference/errors.md", errors::page()?),
        ("reference/metrics.md", metrics::page()),
    ])
}
