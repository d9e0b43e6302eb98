//! What the black-box tests share: a running server on a store of its own, requests, and answers compared whole.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on fails"
)]

mod answer;
pub mod collector;
mod create_fixture;
pub mod demo;
mod documents;
mod event_log;
pub mod future_schema;
mod loading;
pub mod process;
mod process_metrics;
mod published;
mod registry_server;
mod request;
mod scrape;
mod secret_forms;
pub mod secret_scan;
mod setup;
mod signed_fixture;
mod stop_fixture;
mod stores;
mod test_app;
mod tokens;
mod update_fixture;

pub use answer::{Answer, assert_protected};
pub use create_fixture::{CreateFixture, dispenses_path, given};
pub use documents::{Documents, person};
pub use published::{COMMITTED, PUBLISHED, Published, resolved};
pub use registry_server::RegistryServer;
pub use request::{Request, client};
pub use scrape::{Sample, Scrape};
pub use setup::Setup;
pub use signed_fixture::{SignedAction, SignedFixture, digest_of, signed_data};
pub use stop_fixture::{StopFixture, stop_path};
pub use stores::{Addresses, Kind, TestStores};
pub use test_app::{DEADLINE, PATIENT_KEY, TestApp};
pub use tokens::{client_of, issue};
pub use update_fixture::{CONTRACT_DIVISIONS, UpdateFixture, active_contract_divisions, change, update_path};

/// Runs each case on the embedded store and on the real servers: `case::sqlite` and `case::servers`.
#[macro_export]
macro_rules! on_every_store {
    ($($(#[$meta:meta])* async fn $name:ident($kind:ident) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every case needs everything")]
            use super::*;

            $(#[$meta])*
            async fn case($kind: $crate::Kind) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                case($crate::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn servers() {
                case($crate::Kind::Servers).await;
            }
        }
    )+};
}
