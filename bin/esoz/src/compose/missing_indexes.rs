//! Indexes that are missing, for health checks and `doctor`.

use esoz_kernel::StoreError;

/// How they are created again.
pub(crate) const REMEDY: &str = "`esoz migrate` creates them; where it finds a record twice it says so";

/// Takes the names of missing indexes for an error.
///
/// # Errors
/// What is missing, or why the store could not be asked.
pub(crate) fn none_missing(missing: Result<Vec<String>, StoreError>) -> Result<(), String> {
    let missing = missing.map_err(|error| error.with_causes())?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "indexes are missing, so that lists and jobs are slow or fail and, without one that keeps something unique, records may be stored twice: {}",
        missing.join(", ")
    ))
}
