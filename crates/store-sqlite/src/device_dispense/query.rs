//! Reads of dispenses.

use diesel::prelude::*;
use esoz_device_dispense::{Pseudonym, Transition};
use esoz_kernel::DispenseId;

use crate::schema::device_dispenses;

/// Looks up a stored document.
pub(super) fn document(connection: &mut SqliteConnection, id: DispenseId) -> QueryResult<Option<String>> {
    let dispense = device_dispenses::table.find(id.to_string());
    dispense.select(device_dispenses::document).first(connection).optional()
}

/// Whether the stored dispense still belongs to the legal entity and is about the patient of the transition. If not, the caller must not see
/// the first answer.
pub(super) fn concerns(connection: &mut SqliteConnection, change: &Transition) -> QueryResult<bool> {
    let stored = device_dispenses::table.find(change.id.to_string());
    let stored = stored.select((device_dispenses::owner, device_dispenses::subject));
    let stored: Option<(Option<String>, Option<String>)> = stored.first(connection).optional()?;
    Ok(stored.is_some_and(|(owner, subject)| {
        let (owner, subject) = (owner.and_then(|owner| owner.parse().ok()), subject.map(Pseudonym::new));
        change.concerns(owner, subject.as_ref())
    }))
}
