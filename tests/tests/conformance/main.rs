//! The conformance table, row by row, over HTTP, on every store. A case carries the number of its row.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod contract_division_races;
mod cors;
mod create_contract_division;
mod create_dispense;
mod delete_contract_division;
mod described;
mod dispense_reader;
mod doubles;
mod event_topic;
mod events;
mod expire;
mod framing;
mod guards;
mod headers;
mod health;
mod idempotency;
mod lines;
mod list_contract_divisions;
mod list_dispenses;
mod outages;
mod patients;
mod pipelining;
mod proxies;
mod remote_registries;
mod resilience;
mod rounds;
mod routing;
mod show_contract_division;
mod show_dispense;
mod signed;
mod stop;
mod stop_order;
mod stop_races;
mod stop_refusals;
mod tcp;
mod tokens;
mod update;
mod update_body;
mod update_races;

/// The times of a [`TestApp`](esoz_tests::TestApp)'s answers: its clock stands still.
const NOW_MILLIS: &str = "2026-01-31T08:16:30.123Z";
const NOW_MICROS: &str = "2026-01-31T08:16:30.123456Z";
