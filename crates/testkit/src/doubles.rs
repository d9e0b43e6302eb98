//! Test doubles that override what they are about and forward the rest to another adapter of the port.
//!
//! ```
//! use async_trait::async_trait;
//! use esoz_device_dispense::{DeviceDispenses, Dispense, Transition};
//! use esoz_kernel::{Committed, StoreError, StoreErrorKind};
//! use esoz_testkit::doubles::{DeviceDispensesDouble, Double};
//! use esoz_testkit::fakes::FakeDispenses;
//!
//! /// Lets dispenses be read, but not changed.
//! struct ReadOnly(FakeDispenses);
//!
//! #[async_trait]
//! impl DeviceDispensesDouble for ReadOnly {
//!     fn inner(&self) -> &dyn DeviceDispenses {
//!         &self.0
//!     }
//!
//!     async fn commit(&self, _: &Transition) -> Result<Committed<Dispense>, StoreError> {
//!         Err(StoreError::new(StoreErrorKind::Unavailable, "the store is read-only"))
//!     }
//! }
//!
//! let port: &dyn DeviceDispenses = &Double(ReadOnly(FakeDispenses::default()));
//! ```

use async_trait::async_trait;
use esoz_kernel::StoreError;

/// Makes an adapter of a test double: of the port `P` when `T` implements `PDouble`.
#[derive(Debug)]
pub struct Double<T>(pub T);

/// Calls a macro with the store ports and their methods: `name(argument: Kind) -> Answer` is a method that gives
/// `Result<Answer, StoreError>`. The one list for all doubles; what else is to be done for every method can be generated from it as well.
#[macro_export]
macro_rules! store_ports {
    ($macro:ident) => {
        $macro! {
            DeviceDispensesDouble: esoz_device_dispense::DeviceDispenses {
                find(id: esoz_kernel::DispenseId) -> Option<esoz_device_dispense::StoredDispense>;
                list(filter: &esoz_device_dispense::Filter, page: esoz_kernel::PageRequest)
                    -> esoz_kernel::Page<Result<esoz_device_dispense::Dispense, esoz_kernel::StoreError>>;
                overdue(filter: &esoz_device_dispense::OverdueFilter, limit: u32) -> Vec<esoz_device_dispense::Overdue>;
                commit(change: &esoz_device_dispense::Transition) -> esoz_kernel::Committed<esoz_device_dispense::Dispense>;
            }
            DispenseWritesDouble: esoz_device_dispense::DispenseWrites {
                request_facts(query: &esoz_device_dispense::RequestQuery) -> esoz_device_dispense::RequestFacts;
                create(create: &esoz_device_dispense::Create)
                    -> esoz_kernel::Written<esoz_device_dispense::Dispense, esoz_device_dispense::CreateRefusal>;
                facts(id: esoz_kernel::DispenseId) -> esoz_device_dispense::DispenseFacts;
                change(change: &esoz_device_dispense::Change)
                    -> esoz_kernel::Written<esoz_device_dispense::Dispense, esoz_device_dispense::ChangeRefusal>;
            }
            ContractDivisionsDouble: esoz_contract_division::ContractDivisions {
                find(id: esoz_kernel::ContractDivisionId) -> Option<esoz_contract_division::Current>;
                list(filter: &esoz_contract_division::Filter, page: esoz_kernel::PageRequest)
                    -> esoz_kernel::Page<Result<esoz_contract_division::ContractDivision, esoz_kernel::StoreError>>;
                write(write: &esoz_contract_division::Write)
                    -> esoz_kernel::Written<esoz_contract_division::ContractDivision, esoz_contract_division::Refusal>;
            }
            LegalEntitiesDouble: esoz_legal_entity::LegalEntities {
                find(id: esoz_kernel::LegalEntityId) -> Option<esoz_legal_entity::LegalEntity>;
            }
            RegistriesDouble: esoz_registries::Registries {
                facts(query: &esoz_registries::RegistryQuery) -> esoz_registries::RegistryFacts;
                program_devices(choice: &esoz_registries::DeviceChoice)
                    -> Vec<(esoz_registries::ProgramDevice, esoz_registries::DeviceDefinition)>;
                party(user: esoz_kernel::UserId) -> Option<esoz_registries::Party>;
            }
            MediaStorageDouble: esoz_signed_content::MediaStorage {
                put(key: &esoz_signed_content::MediaKey, container: &[u8]) -> ();
                get(key: &esoz_signed_content::MediaKey) -> Option<Vec<u8>>;
                delete(key: &esoz_signed_content::MediaKey) -> ();
                list(day: esoz_kernel::CivilDate, after: Option<esoz_signed_content::MediaKey>, limit: usize)
                    -> Vec<esoz_signed_content::MediaKey>;
                check() -> ();
            }
            OutboxDouble: esoz_events::Outbox {
                claim(claim: &esoz_events::Claim) -> esoz_events::Claimed;
                remove(delivered: &[esoz_events::EventRef]) -> ();
                set_aside(refused: &[esoz_events::Refused], now: esoz_kernel::Timestamp) -> ();
                release(by: esoz_kernel::Uuid) -> ();
                backlog() -> esoz_events::Backlog;
                list_set_aside(limit: u32) -> Vec<esoz_events::SetAside>;
                retry(which: &esoz_events::Which) -> u64;
                drop_set_aside(id: &str) -> bool;
            }
            EventLogDouble: esoz_events::EventLog {
                store(events: &[esoz_events::LoggedEvent]) -> u64;
                find(id: esoz_kernel::EventId) -> Option<esoz_events::LoggedEvent>;
                list(filter: &esoz_events::EventFilter, page: esoz_kernel::PageRequest)
                    -> esoz_kernel::Page<Result<esoz_events::LoggedEvent, esoz_kernel::StoreError>>;
                nth_newest(n: u64) -> Option<esoz_events::EventPosition>;
                remove_before(position: esoz_events::EventPosition, limit: u32) -> u64;
            }
        }
    };
}

/// Defines each port's double, which forwards by default, and the adapter that it makes.
macro_rules! doubles {
    ($($double:ident: $domain:ident::$port:ident {
        $($method:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+
    })+) => {$(
        #[doc = concat!("A test double of [`", stringify!($port), "`](", stringify!($domain), "::", stringify!($port), ").")]
        #[async_trait]
        pub trait $double: Send + Sync {
            /// Where calls go that the double does not override.
            fn inner(&self) -> &dyn $domain::$port;

            $(
                #[doc = concat!("Forwards `", stringify!($method), "`.")]
                async fn $method(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
                    self.inner().$method($($argument),*).await
                }
            )+
        }

        #[async_trait]
        impl<T: $double> $domain::$port for Double<T> {
            $(
                async fn $method(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
                    self.0.$method($($argument),*).await
                }
            )+
        }
    )+};
}

store_ports!(doubles);
