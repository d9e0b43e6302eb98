use esoz_kernel::json::JsonError;
use std::io;

use esoz_kernel::StoreError;

/// Why a line is bad: the field, and what was expected there. Never contains the value, which may be a patient's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct LineError {
    /// The field as a JSON path from the start of the line, e.g. `$.data.details[0].quantity`.
    path: String,
    problem: String,
}

impl LineError {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}

impl From<JsonError> for LineError {
    fn from(JsonError { path, problem, .. }: JsonError) -> Self {
        Self { path, problem }
    }
}

/// Why an import ended early. What was imported before stays; importing the same file again is safe.
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
    /// A store failed. A bad line is no error: it is reported, and the import continues.
    #[error(
        "the store failed with lines {first_line} to {last_line}, which may or may not have been taken; nothing after them \
         was: load the same input again once the store is well"
    )]
    Store {
        /// The first line of the batch, counted from 1.
        first_line: u64,
        /// The last line of the batch.
        last_line: u64,
        /// Why.
        source: StoreError,
    },
    /// A dry run could not read what a store has.
    #[error(
        "the store could not be read while lines {first_line} to {last_line} were checked; nothing was written"
    )]
    Check {
        /// The first line of the batch, counted from 1.
        first_line: u64,
        /// The last line of the batch.
        last_line: u64,
        /// Why.
        source: StoreError,
    },
}
