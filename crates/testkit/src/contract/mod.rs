//! One contract suite per port: what every adapter must do, races included, and what the in-memory fakes do as well.
//!
//! A case is a plain function that takes a fresh, empty store and panics when the contract is broken. An adapter runs them all:
//!
//! ```
//! use esoz_testkit::contract::DispenseStore;
//! use esoz_testkit::fakes::FakeDispenses;
//!
//! async fn fresh() -> DispenseStore {
//!     FakeDispenses::under_test() // a store of its own for every call
//! }
//!
//! esoz_testkit::dispense_store_contract!(fresh);
//! # fn main() {}
//! ```
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a case is a test: it panics when the contract is broken"
)]

pub mod contract_divisions;
pub mod contract_registry;
pub mod contract_scans;
pub mod credential_lists;
pub mod credentials;
pub mod device_requests;
pub mod dispense_changes;
pub mod dispense_expiry;
pub mod dispense_finds;
pub mod dispense_keys;
pub mod dispense_lists;
pub mod dispense_scans;
pub mod dispense_writes;
pub mod dispenses;
pub mod event_log;
pub mod legal_entities;
pub mod media_storage;
pub mod outbox;
pub mod outbox_claims;
pub mod outbox_set_aside;
pub mod pseudonym_fingerprints;
pub mod publisher;
pub mod registries;
mod sequence_model;
mod sequence_steps;
pub mod sequences;

mod macros;
mod race;
mod scans;
mod subjects;

pub use subjects::{
    Audit, AuditRow, ContractStore, CredentialStore, Delivered, DispenseStore, DispenseWriteStore,
    EventLogUnderTest, FingerprintsUnderTest, MediaStorageUnderTest, Message, OutboxUnderTest,
    PublisherUnderTest, RawDeviceRequests, RawDispenses, RawEventLog, RawFingerprints, RawMediaStorage,
    RawOutbox, RegistryStore, put_with_change,
};

#[cfg(test)]
mod tests {
    /// A case that no macro lists would never run.
    #[test]
    fn every_case_is_listed_in_the_macro_of_its_port() {
        let macros = concat!(
            include_str!("macros/stores.rs"),
            include_str!("macros/events.rs"),
            include_str!("macros/registries.rs"),
            include_str!("macros/dispense_writes.rs")
        );
        for (suite, source) in [
            ("contract_divisions", include_str!("contract_divisions/facts.rs")),
            ("contract_divisions", include_str!("contract_divisions/apply.rs")),
            ("contract_divisions", include_str!("contract_divisions/audit.rs")),
            ("contract_divisions", include_str!("contract_divisions/races.rs")),
            ("contract_divisions", include_str!("contract_divisions/keys.rs")),
            ("contract_divisions", include_str!("contract_divisions/create_delete.rs")),
            ("contract_divisions", include_str!("contract_divisions/create_delete_races.rs")),
            ("contract_divisions", include_str!("contract_divisions/list.rs")),
            ("contract_divisions", include_str!("contract_divisions/together.rs")),
            ("contract_registry", include_str!("contract_registry.rs")),
            ("contract_scans", include_str!("contract_scans.rs")),
            ("credential_lists", include_str!("credential_lists.rs")),
            ("credentials", include_str!("credentials.rs")),
            ("device_requests", include_str!("device_requests.rs")),
            ("dispense_changes", include_str!("dispense_changes.rs")),
            ("dispense_expiry", include_str!("dispense_expiry.rs")),
            ("dispense_finds", include_str!("dispense_finds.rs")),
            ("dispense_keys", include_str!("dispense_keys.rs")),
            ("dispense_lists", include_str!("dispense_lists/filters.rs")),
            ("dispense_lists", include_str!("dispense_lists/pages.rs")),
            ("dispense_lists", include_str!("dispense_lists/search.rs")),
            ("dispense_scans", include_str!("dispense_scans.rs")),
            ("dispense_writes", include_str!("dispense_writes/facts.rs")),
            ("dispense_writes", include_str!("dispense_writes/creates.rs")),
            ("dispense_writes", include_str!("dispense_writes/create_races.rs")),
            ("dispense_writes", include_str!("dispense_writes/codes.rs")),
            ("dispense_writes", include_str!("dispense_writes/create_keys.rs")),
            ("dispense_writes", include_str!("dispense_writes/changes.rs")),
            ("dispense_writes", include_str!("dispense_writes/change_races.rs")),
            ("dispense_writes", include_str!("dispense_writes/change_keys.rs")),
            ("dispense_writes", include_str!("dispense_writes/change_decided.rs")),
            ("dispense_writes", include_str!("dispense_writes/corrupt.rs")),
            ("dispenses", include_str!("dispenses.rs")),
            ("event_log", include_str!("event_log.rs")),
            ("legal_entities", include_str!("legal_entities.rs")),
            ("media_storage", include_str!("media_storage.rs")),
            ("outbox", include_str!("outbox.rs")),
            ("outbox_claims", include_str!("outbox_claims.rs")),
            ("outbox_set_aside", include_str!("outbox_set_aside.rs")),
            ("pseudonym_fingerprints", include_str!("pseudonym_fingerprints.rs")),
            ("publisher", include_str!("publisher.rs")),
            ("registries", include_str!("registries/content.rs")),
            ("registries", include_str!("registries/devices.rs")),
            ("registries", include_str!("registries/facts.rs")),
            ("registries", include_str!("registries/parties.rs")),
            ("registries", include_str!("registries/refusals.rs")),
            ("registries", include_str!("registries/scans.rs")),
        ] {
            let heading = format!("=> {suite}:");
            let lists = macros.split(&heading).skip(1).map(|list| list.split_once('}').expect(suite).0);
            let listed: Vec<_> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
            let cases: Vec<_> = source
                .lines()
                .filter_map(|line| line.strip_prefix("pub async fn ")?.split_once('(').map(|(name, _)| name))
                .collect();
            assert!(!cases.is_empty(), "{suite}");
            for case in cases {
                assert!(listed.contains(&case), "{suite}::{case} is in no list");
            }
        }
    }
}
