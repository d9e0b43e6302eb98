//! Several problems in one error.

use anyhow::{Result, anyhow};

/// Separates problems in a text.
pub(super) const NEXT: &str = "\n  ";

/// Refuses all problems at once, if there are any.
pub(crate) fn refuse_all(problems: Vec<String>) -> Result<()> {
    if problems.is_empty() { Ok(()) } else { Err(anyhow!(problems.join(NEXT))) }
}
