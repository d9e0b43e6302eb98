use std::fmt::{self, Write as _};
use std::sync::{PoisonError, RwLock};

use esoz_kernel::Timestamp;
use esoz_kernel::time::rfc3339_millis;
use serde::Serialize;
use utoipa::ToSchema;

/// How something behind the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Nobody has looked yet.
    Unknown,
    /// It answers.
    Up,
    /// It does not answer.
    Down,
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

/// How one thing behind the server is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Check {
    /// What it is.
    #[schema(value_type = String, example = "mongodb")]
    name: &'static str,
    /// How it is.
    state: Condition,
    /// Since when, or the last look that found it otherwise.
    #[schema(value_type = String, format = DateTime)]
    since: String,
    /// Whether requests fail without it. A bus that is down delays events and fails no request.
    needed: bool,
}

/// How everything behind the server is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Each store and the bus.
    checks: Vec<Check>,
    /// How many events cannot be delivered and wait for an operator, the first thousand of each outbox; null when nobody could look. They fail no request.
    #[schema(example = 0)]
    set_aside_events: Option<u64>,
    /// Whether the server is about to stop.
    #[serde(skip)]
    is_shutting_down: bool,
}

impl Readiness {
    /// Whether everything that is needed answers, and the server stays.
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_shutting_down
            && self.checks.iter().all(|check| !check.needed || check.state == Condition::Up)
    }

    /// One line about everything, what is wrong first.
    pub(crate) fn summary(&self) -> String {
        if self.is_shutting_down {
            return String::from("Not ready: the server is about to stop.");
        }
        let (well, wrong): (Vec<&Check>, Vec<&Check>) =
            self.checks.iter().partition(|check| check.state == Condition::Up);
        let mut line = String::from("Not ready");
        for (index, check) in wrong.into_iter().chain(well).enumerate() {
            let separator = if index == 0 { ": " } else { ", " };
            // Writing to a text cannot fail.
            let _ = write!(line, "{separator}{} is {} since {}", check.name, check.state, check.since);
        }
        line.push('.');
        line
    }
}

/// What `/health/ready` tells: the last look at each thing behind the server. Whoever looks writes it here, so that asking costs nothing.
#[derive(Debug)]
pub struct Health(RwLock<Readiness>);

impl Health {
    /// Begins with things that nobody has looked at: each by name, and whether requests fail without it.
    pub fn new(things: impl IntoIterator<Item = (&'static str, bool)>, now: Timestamp) -> Self {
        let check =
            |(name, needed)| Check { name, state: Condition::Unknown, since: rfc3339_millis(now), needed };
        let checks = things.into_iter().map(check).collect();
        Self(RwLock::new(Readiness { checks, set_aside_events: None, is_shutting_down: false }))
    }

    /// Notes how the thing of that name is; gives whether that is news.
    pub fn record(&self, name: &str, state: Condition, now: Timestamp) -> bool {
        let mut readiness = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let found = readiness.checks.iter_mut().find(|check| check.name == name && check.state != state);
        let Some(check) = found else { return false };
        check.state = state;
        check.since = rfc3339_millis(now);
        true
    }

    /// Notes how many events were set aside, if that is known.
    pub fn record_set_aside(&self, events: Option<u64>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).set_aside_events = events;
    }

    /// From now on the server is about to stop: it is not ready for new clients, and each answer asks its client to leave the connection.
    pub fn begin_shutdown(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).is_shutting_down = true;
    }

    /// Whether the server is about to stop.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_shutting_down
    }

    /// How each thing is, by its name.
    pub fn conditions(&self) -> Vec<(&'static str, Condition)> {
        self.readiness().checks.into_iter().map(|check| (check.name, check.state)).collect()
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_keeps_the_server_from_being_ready() {
        let now = Timestamp::UNIX_EPOCH;
        let health = Health::new([("store", true), ("bus", false)], now);
        assert!(!health.readiness().is_ready(), "nobody has looked yet");
        assert!(health.record("store", Condition::Up, now));
        assert!(!health.record("store", Condition::Up, now), "no news");
        assert!(health.readiness().is_ready());
        health.record("bus", Condition::Down, now);
        assert!(health.readiness().is_ready());
        health.record("store", Condition::Down, now);
        assert_eq!(
            health.readiness().summary(),
            "Not ready: store is down since 1970-01-01T00:00:00.000Z, bus is down since 1970-01-01T00:00:00.000Z."
        );
        assert!(!health.readiness().is_ready());
        health.record("store", Condition::Up, now);
        health.begin_shutdown();
        assert!(!health.readiness().is_ready());
        assert_eq!(health.readiness().summary(), "Not ready: the server is about to stop.");
    }
}
