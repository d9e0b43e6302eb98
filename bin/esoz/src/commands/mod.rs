//! One file per command.

pub(crate) mod config;
pub(crate) mod credentials;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod import;
pub(crate) mod manual;
pub(crate) mod migrate;
pub(crate) mod serve;

use std::io::{Write as _, stdout};

use anyhow::{Context as _, Result};

/// Prints one line of output. A reader that went away is an error like any other.
fn print(line: &str) -> Result<()> {
    writeln!(stdout(), "{line}").context("writing to standard output")
}
