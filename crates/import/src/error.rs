use std::fmt;
use std::io;

use esoz_kernel::StoreError;

/// What is wrong with one line: in which field, and what was expected there. Never says what was found: it may be a patient's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    path: String,
    problem: String,
}

impl LineError {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }

    /// The field, as a JSON path from the start of the line, e.g. `$.data.details[0].quantity`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, self.problem)
    }
}

impl std::error::Error for LineError {}

/// Why loading stopped. What was loaded before stays; loading the same file again is safe.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input could not be read.
    #[error("line {line} could not be read")]
    Read {
        /// The line, counted from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The store failed. Bad lines do not lead here: they are reported, and loading goes on.
    #[error(
        "the store failed with lines {first_line} to {last_line}, which may or may not have been taken; nothing after them \
         was: load the same input again once the store is well"
    )]
    Store {
        /// The first line of those that were being stored, counted from 1.
        first_line: u64,
        /// The last of them.
        last_line: u64,
        /// Why.
        source: StoreError,
    },
}
