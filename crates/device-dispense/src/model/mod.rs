//! Dispense, status model and rules. Pure: no I/O, no clock, no randomness.

pub(crate) mod create;
pub(crate) mod dispense;
pub(crate) mod fields;
pub(crate) mod filter;
pub(crate) mod patient_id;
pub(crate) mod request;
pub(crate) mod rules;
pub(crate) mod signed;
pub(crate) mod status;
