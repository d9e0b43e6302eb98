//! Containers made by OpenSSL and by this crate, good ones and others.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod chains;
mod containers;
mod identity;
mod interop;
mod properties;
mod revocation;
mod settings;
mod sign;
mod support;
