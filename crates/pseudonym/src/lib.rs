#![doc = include_str!("../README.md")]

mod aes_cbc;
mod drfo_digest;
mod error;
mod hmac_sha256;
mod upper_hex;

pub use aes_cbc::Aes128CbcPseudonyms;
pub use drfo_digest::HmacDrfoDigests;
pub use error::KeyError;
pub use hmac_sha256::HmacSha256Pseudonyms;
