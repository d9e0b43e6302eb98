//! The program as a process: its command line, signals, kills, and several of it at once.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod commands;
mod configuration;
mod credentials;
mod demo;
mod dispenses;
mod doctor;
mod encrypted;
mod expire;
mod export;
mod first_start;
mod idempotency;
mod import;
mod inspector;
mod kill;
mod log;
mod open_files;
mod patient_key;
mod pipelining;
mod postgres_health;
mod registries;
mod reload;
mod remote_registries;
mod remote_tokens;
mod serving;
mod set_aside;
mod spans;
mod store_health;
mod tls;
mod tls_server;

use esoz_tests::{PATIENT_KEY, TestStores};

/// What a process needs in its environment to run on those stores.
fn environment(stores: &TestStores) -> Vec<(String, String)> {
    let mut variables = stores.variables().to_vec();
    variables.push(("ESOZ_PATIENT__KEY".to_owned(), PATIENT_KEY.to_owned()));
    // Fits wherever the tests run.
    variables.push(("ESOZ_HTTP__MAX_CONNECTIONS".to_owned(), "100".to_owned()));
    variables.push(("ESOZ_HTTP__WORKERS".to_owned(), "2".to_owned()));
    variables
}

fn with(mut variables: Vec<(String, String)>, name: &str, value: &str) -> Vec<(String, String)> {
    variables.push((name.to_owned(), value.to_owned()));
    variables
}
