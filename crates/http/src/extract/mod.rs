//! Extraction of credentials, idempotency key and body from a request.

pub(crate) mod body;
pub(crate) mod headers;
