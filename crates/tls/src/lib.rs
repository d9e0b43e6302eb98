#![doc = include_str!("../README.md")]

mod certificate;
mod client;
mod file;
mod last_good;
mod transport;
mod validity;

pub use certificate::{CertificateContents, CertificateFiles};
pub use client::{ClientTls, Verification, platform_root_file};
pub use file::{FileError, SecretSource, read, read_file};
pub use last_good::LastGood;
pub use transport::{Transport, is_this_machine};
pub use validity::Validity;

use rustls::crypto::{CryptoProvider, ring};

/// The cryptography provider of the whole program.
pub fn provider() -> CryptoProvider {
    ring::default_provider()
}
