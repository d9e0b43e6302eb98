#![doc = include_str!("../README.md")]

mod container;
mod drfo;
mod media;
mod unsigned;

pub use container::{Container, SignatureVerifier, SignedContentError, Signer, Verdict, signed_by_one};
pub use drfo::{Drfo, DrfoDigest, DrfoDigests, SignerMismatch, require_signer};
pub use media::{InvalidMediaKey, MediaKey, MediaStorage};
pub use unsigned::UnsignedDocuments;

#[cfg(any(test, feature = "mock"))]
pub use container::MockSignatureVerifier;
#[cfg(any(test, feature = "mock"))]
pub use drfo::MockDrfoDigests;
#[cfg(any(test, feature = "mock"))]
pub use media::MockMediaStorage;
