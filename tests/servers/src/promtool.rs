//! Prometheus' tool, which checks its configuration and rules.

use std::path::PathBuf;

use super::{error::ServerError, fetch::find_or_install, find::on_path};

/// The program `promtool`: from `PATH`, or, as root, installed by `apt-get`.
///
/// # Errors
/// When there is none and none can be installed.
pub fn promtool() -> Result<PathBuf, ServerError> {
    find_or_install(|| on_path("promtool").into_iter().next(), "prometheus", "no promtool: looked on PATH")
}
