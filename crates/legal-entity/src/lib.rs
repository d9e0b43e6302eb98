#![doc = include_str!("../README.md")]

mod ports;
mod record;
mod standing;

pub use ports::{LegalEntities, LegalEntityRegistry};
pub use record::LegalEntityRecord;
pub use standing::{
    AllowedTypes, LegalEntity, LegalEntityStatus, LegalEntityType, Standing, StandingError, UnknownStatus,
    standing,
};

#[cfg(any(test, feature = "mock"))]
pub use ports::{MockLegalEntities, MockLegalEntityRegistry};
