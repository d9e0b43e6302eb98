//! What stands behind each port, by the configuration.

pub(crate) mod bus;
pub(crate) mod jobs;
