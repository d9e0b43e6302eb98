//! What is read off a request: credentials, idempotency key and body.

pub(crate) mod body;
pub(crate) mod credentials;
pub(crate) mod headers;
pub(crate) mod idempotency;
