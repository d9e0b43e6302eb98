//! What is read off a request: its credentials and its body.

pub(crate) mod body;
pub(crate) mod credentials;
