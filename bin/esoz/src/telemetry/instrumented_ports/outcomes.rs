//! What a call is counted as, by its answer.

use esoz_device_dispense::{Dispense, DispenseFacts, StoredDispense, Transition};
use esoz_events::{PublishError, StatusChangeEvent};
use esoz_kernel::{Committed, DispenseId, StoreError, StoreErrorKind, Written};

use super::instruments::Instruments;

const OK: &str = "ok";
/// The record was absent or not as the change requires; nothing was written.
const STALE: &str = "stale";
/// A rule refused the write; nothing was written.
const REFUSED: &str = "refused";
/// A replay of an idempotent request, or a reused idempotency key; nothing was written.
const RECALLED: &str = "recalled";
/// The bus refused at least one event.
const UNDELIVERED: &str = "undelivered";
/// The caller dropped the call before its answer, e.g. at a time limit. Whether a write took effect is unknown.
pub(super) const CANCELLED: &str = "cancelled";

/// Every outcome of a call.
pub(crate) const OUTCOMES: [&str; 10] = [
    OK,
    STALE,
    REFUSED,
    RECALLED,
    StoreErrorKind::Unavailable.as_str(),
    StoreErrorKind::Conflict.as_str(),
    StoreErrorKind::Corrupt.as_str(),
    StoreErrorKind::Unexpected.as_str(),
    UNDELIVERED,
    CANCELLED,
];

/// The outcome of a call that fails only as a store does. Absence is a success.
pub(super) fn outcome<T>(answer: &Result<T, StoreError>) -> &'static str {
    answer.as_ref().map_or_else(|error| error.kind().as_str(), |_| OK)
}

/// The outcome of reading a dispense, whose record may be corrupt although it was found.
pub(super) fn found(
    _: &Instruments,
    _: DispenseId,
    answer: &Result<Option<StoredDispense>, StoreError>,
) -> &'static str {
    of_stored(answer, Option::as_ref)
}

/// The outcome of reading a dispense and its request.
pub(super) fn facts_found(
    _: &Instruments,
    _: DispenseId,
    answer: &Result<DispenseFacts, StoreError>,
) -> &'static str {
    of_stored(answer, |facts| facts.stored.as_ref())
}

fn of_stored<T>(
    answer: &Result<T, StoreError>,
    stored: impl FnOnce(&T) -> Option<&StoredDispense>,
) -> &'static str {
    let corrupt = answer.as_ref().ok().and_then(|found| stored(found)?.dispense.as_ref().err());
    corrupt.map_or_else(|| outcome(answer), |error| error.kind().as_str())
}

/// The outcome of a conditional update. Wakes the relay.
pub(super) fn committed(
    instruments: &Instruments,
    _: &Transition,
    answer: &Result<Committed<Dispense>, StoreError>,
) -> &'static str {
    // Also after an error: the change may have taken effect.
    if !matches!(answer, Ok(Committed::Stale)) {
        instruments.dispense_committed.notify_one();
    }
    match answer {
        Ok(Committed::Stale) => STALE,
        Ok(Committed::Replayed(_) | Committed::KeyReused) => RECALLED,
        answer => outcome(answer),
    }
}

/// The outcome of a write that the store decides.
pub(super) fn written<W, T, R>(
    _: &Instruments,
    _: &W,
    answer: &Result<Written<T, R>, StoreError>,
) -> &'static str {
    match answer {
        Ok(Written::Refused(_)) => REFUSED,
        Ok(Written::Replayed(_) | Written::KeyReused) => RECALLED,
        answer => outcome(answer),
    }
}

/// The outcome of recording or changing a dispense. Wakes the relay.
pub(super) fn dispense_written<W, T, R>(
    instruments: &Instruments,
    write: &W,
    answer: &Result<Written<T, R>, StoreError>,
) -> &'static str {
    // Also after an error: the write may have taken effect.
    if !matches!(answer, Ok(Written::Refused(_))) {
        instruments.dispense_committed.notify_one();
    }
    written(instruments, write, answer)
}

/// The outcome of publishing events. Records their delivery times.
pub(super) fn published(
    instruments: &Instruments,
    events: &[StatusChangeEvent],
    answers: &[Result<(), PublishError>],
) -> &'static str {
    let now = instruments.clock.now();
    for (event, _) in events.iter().zip(answers).filter(|(_, answer)| answer.is_ok()) {
        // Negative if the clock of the replica that made the change is ahead.
        instruments.delivery.record(now.duration_since(event.event_time).as_secs_f64().max(0.0));
    }
    if answers.iter().all(Result::is_ok) { OK } else { UNDELIVERED }
}
