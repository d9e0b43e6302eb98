//! The starters, on real servers: used, killed, restarted, paused, and orphaned.
#![expect(clippy::unwrap_used, reason = "a test")]

mod kafka;
mod mongodb;
mod ownership;
mod postgres;

use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z'))
}
