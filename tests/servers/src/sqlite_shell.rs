//! SQLite's shell, as an operator has it: of another version than the one that is compiled in.

use std::path::PathBuf;

use super::{error::ServerError, fetch::apt_install, find::on_path};

/// The program `sqlite3`: from `PATH`, or, as root, installed by `apt-get`.
///
/// # Errors
/// When there is none and none can be installed.
pub fn sqlite_shell() -> Result<PathBuf, ServerError> {
    let look = || on_path("sqlite3").into_iter().next();
    if let Some(shell) = look() {
        return Ok(shell);
    }
    let installed = apt_install(&["sqlite3"]);
    look().ok_or_else(|| {
        let why = installed.err().map(|error| error.to_string()).unwrap_or_default();
        ServerError::new(format!(
            "no sqlite3: looked on PATH; {why}\nInstall the shell of SQLite (package sqlite3)"
        ))
    })
}
