#![doc = include_str!("../README.md")]

mod algorithm;
mod bounds;
mod certificate;
mod chain;
mod identity;
pub mod reason;
mod revocation;
mod settings;
#[cfg(feature = "sign")]
pub mod sign;
mod signature;
mod verifier;

pub use settings::{
    CmsSettings, CmsSettingsError, KeyUsagePolicy, RevocationPolicy, ValidityTime, certificates_in,
    revocation_lists_in,
};
pub use verifier::CmsVerifier;
