//! What must never be told again.

/// A secret that seeds carry wherever a client, an operator or an issuer could put one. Mutations carry it on.
pub(crate) const CANARY: &str = "canary-7f3a";

/// Holds a text that somebody is told, as an error or a line of a log, against the canary.
#[track_caller]
pub(crate) fn assert_keeps_quiet(told: &str) {
    assert!(!told.contains(CANARY), "this tells what was read: {told}");
}
