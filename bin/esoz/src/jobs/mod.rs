//! Periodic jobs beside the requests: one file per job, and in `driver.rs` the loop that drives them all.

mod consume_events;
mod driver;
mod expire;
mod job;
mod purge_events;
mod purge_keys;
mod relay;
mod sweep_containers;

pub(crate) use consume_events::ConsumeEvents;
pub(crate) use driver::Jobs;
pub(crate) use expire::{ExpireDispensesJob, count_overdue, expire_all, log_skipped};
pub(crate) use job::Job;
pub(crate) use purge_events::PurgeEvents;
pub(crate) use purge_keys::PurgeKeys;
pub(crate) use relay::RelayEvents;
pub(crate) use sweep_containers::SweepContainersJob;
