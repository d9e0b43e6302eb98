//! Metrics for Prometheus.
//!
//! `definitions.rs` defines every metric; no other is exported. Each server has a registry of its own, also where several run in one
//! process.

pub(crate) mod collectors;
pub(crate) mod definitions;
pub(crate) mod endpoint;
mod registry;
pub(crate) mod requests;

pub(crate) use registry::{Metrics, NO_LABELS};
