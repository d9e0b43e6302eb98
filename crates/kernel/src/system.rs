//! The clock and the ids of a running system (feature `system`).

use uuid::{NoContext, Uuid};

use crate::{Clock, IdGenerator, Timestamp};

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH.saturating_add(jiff::Timestamp::now().as_duration())
    }
}

/// Generates UUIDs of version 7, which are ordered by time and keep an index compact.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdGenerator for RandomIds {
    /// # Panics
    /// When the operating system has no randomness to give. Going on would give out ids that others can guess.
    fn fresh(&self) -> Uuid {
        Uuid::new_v7(uuid::Timestamp::now(NoContext))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_ids_differ() {
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| RandomIds.fresh()).collect();
        assert_eq!(ids.len(), 1_000);
    }
}
