//! What a dispense is and what it may go through. Pure: no I/O, no clock, no randomness.

pub(crate) mod dispense;
pub(crate) mod fields;
pub(crate) mod rules;
pub(crate) mod status;
