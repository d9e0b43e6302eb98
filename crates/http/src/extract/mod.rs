//! What is read off a request: credentials and idempotency key from its headers, and its body.

pub(crate) mod body;
pub(crate) mod headers;
