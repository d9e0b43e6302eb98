//! The adapter against services that behave, and against services that do not.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod hostile;
mod support;
mod verdicts;
