//! What is kept under the idempotency key of a change of a dispense.

use diesel::SqliteConnection;
use esoz_device_dispense::{Dispense, Pseudonym};
use esoz_kernel::{DispenseId, IdempotentRequest, LegalEntityId, Replay, Timestamp};

use super::document::to_dispense;
use super::query;
use crate::error::SqliteError;
use crate::idempotency;

/// A change that was made under a key.
pub(super) struct Kept {
    /// What the request is answered.
    pub(super) replay: Replay<Dispense>,
    /// Whether the dispense has come to another legal entity or patient since, so that the caller must not see the first answer.
    pub(super) is_hidden: bool,
}

/// Looks up the key of a request, if it has one, for a dispense and its legal entity and patient, `None` being any.
pub(super) fn kept(
    connection: &mut SqliteConnection,
    (idempotency, at): (Option<&IdempotentRequest>, Timestamp),
    id: DispenseId,
    whose: (Option<LegalEntityId>, Option<&Pseudonym>),
) -> Result<Option<Kept>, SqliteError> {
    let Some(request) = idempotency else { return Ok(None) };
    let Some(replay) = idempotency::replay(connection, request, at)? else { return Ok(None) };
    let replay = idempotency::answered(replay, |document| to_dispense(&id.to_string(), document)?.dispense)?;
    let is_answer = matches!(replay, Replay::Replayed(_));
    let is_hidden = is_answer && !query::concerns(connection, id, whose)?;
    Ok(Some(Kept { replay, is_hidden }))
}
