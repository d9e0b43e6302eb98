//! The one error of the starters: a text for the person whose test did not run.

use std::{error::Error, fmt, path::Path};

/// How much of a log an error quotes.
const LOG_TAIL_BYTES: usize = 4_000;

/// Why a test server could not be had, started or used: what was tried, with the command line and the end of the log
/// where there is one, and what to do.
pub struct ServerError {
    message: String,
}

impl ServerError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// `doing what` failed with an I/O error.
    pub(super) fn io(doing: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(format!("{doing}: {error}"))
    }

    /// Adds the end of a log file, if there is one.
    #[must_use]
    pub(super) fn with_log(mut self, log: &Path) -> Self {
        let text = std::fs::read(log).map(|bytes| tail(&bytes)).unwrap_or_default();
        let quoted = if text.is_empty() { "is empty or gone" } else { text.trim_end() };
        self.message = format!("{}\nthe end of {}:\n{quoted}", self.message, log.display());
        self
    }
}

/// The last [`LOG_TAIL_BYTES`] of what a program printed.
pub(super) fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(LOG_TAIL_BYTES);
    String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned()
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// As `Display`: `unwrap` in a test then prints the lines as lines.
impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ServerError {}
