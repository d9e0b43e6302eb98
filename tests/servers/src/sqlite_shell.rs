//! SQLite's shell, as an operator has it: of another version than the one that is compiled in.

use std::path::PathBuf;

use super::{error::ServerError, fetch::find_or_install, find::on_path};

/// The program `sqlite3`: from `PATH`, or, as root, installed by `apt-get`.
///
/// # Errors
/// When there is none and none can be installed.
pub fn sqlite_shell() -> Result<PathBuf, ServerError> {
    find_or_install(|| on_path("sqlite3").into_iter().next(), "sqlite3", "no sqlite3: looked on PATH")
}
