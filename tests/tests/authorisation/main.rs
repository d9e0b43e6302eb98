//! Who gets in: every route that the server has is in one table, and for each that asks who calls it is shown that nobody else gets through,
//! that a refusal writes nothing, and that it does not tell what is there.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod attempts;
mod contract_divisions;
mod create_dispense;
mod dispenses;
mod events;
mod refused;
mod table;
