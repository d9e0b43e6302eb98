//! What stands behind each port, by the configuration.

pub(crate) mod bus;
pub(crate) mod caches;
pub(crate) mod jobs;
pub(crate) mod stores;
pub(crate) mod tokens;
