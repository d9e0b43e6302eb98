#![doc = include_str!("../README.md")]

mod active;
mod ports;
mod record;

pub use active::{
    ActiveLegalEntity, AllowedTypes, LegalEntity, LegalEntityError, LegalEntityStatus, LegalEntityType,
    require_active,
};
pub use ports::{LegalEntities, LegalEntityRegistry};
pub use record::LegalEntityRecord;

#[cfg(any(test, feature = "mock"))]
pub use ports::{MockLegalEntities, MockLegalEntityRegistry};
