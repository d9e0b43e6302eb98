//! What a contract division is and when it may be written. Pure: no I/O, no clock, no randomness.

pub(crate) mod facts;
pub(crate) mod record;
pub(crate) mod rules;
