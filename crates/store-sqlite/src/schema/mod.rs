//! The tables as the migrations leave them; a test compares the two. Triggers, checks and indexes live in `migrations/` alone.

mod access;
mod dispenses;
mod events;
mod organisations;
mod registries;

pub(crate) use access::{access_tokens, api_keys, clients, users};
pub(crate) use dispenses::{device_dispenses, device_request_wrong_codes, device_requests};
pub(crate) use events::{event_log, idempotency_keys, outbox, settings};
pub(crate) use organisations::{contract_divisions, contracts, divisions, legal_entities, request_context};
pub(crate) use registries::{
    device_definitions, employees, medical_programs, parties, party_users, persons, program_devices,
};

#[cfg(test)]
mod tests;
