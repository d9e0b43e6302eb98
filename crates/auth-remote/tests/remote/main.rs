//! The adapters against servers that behave, and against servers that do not.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod esoz;
mod hostile;
mod introspection;
mod jwks;
mod jwt;
mod logs;
mod support;
mod tls;
