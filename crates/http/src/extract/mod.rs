//! Extraction of credentials, idempotency key, query parameters and body from a request.

pub(crate) mod body;
pub(crate) mod headers;
pub(crate) mod query;
pub(crate) mod shape;
