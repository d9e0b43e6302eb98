use std::fmt;
use std::sync::{PoisonError, RwLock};

use esoz_kernel::Timestamp;
use esoz_kernel::time::rfc3339_millis;
use serde::Serialize;
use utoipa::ToSchema;

/// The resource of device dispenses.
pub const DEVICE_DISPENSES: &str = "device_dispenses";

/// All resources, which need a component that knows who may ask for them.
pub const RESOURCES: [&str; 3] = [DEVICE_DISPENSES, "contract_divisions", "events"];

/// The condition of a component behind the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It was not checked yet.
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

/// The last check of a component behind the server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Check {
    /// The component.
    #[schema(value_type = String, example = "mongodb")]
    name: &'static str,
    /// Its condition.
    state: Condition,
    /// The time of the check that found its condition changed.
    #[schema(value_type = String, format = DateTime)]
    since: String,
    /// Whether all requests of a resource fail without the component: then the server is not ready. A bus that is down delays events and fails no request.
    needed: bool,
    /// What fails without it: resources with all their requests, or single operations.
    #[schema(value_type = Vec<String>, example = json!(["device_dispenses"]))]
    needed_by: &'static [&'static str],
}

/// Readiness: the condition of every component behind the server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Each store and the bus.
    checks: Vec<Check>,
    /// The number of events that cannot be delivered and wait for an operator, up to a thousand of each outbox; null when they could not be counted. They fail no request.
    #[schema(example = 0)]
    set_aside_events: Option<u64>,
    /// Whether the server is about to stop.
    #[serde(skip)]
    is_shutting_down: bool,
}

impl Readiness {
    /// Whether every needed component is up, and the server is not shutting down.
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_shutting_down
            && self.checks.iter().all(|check| !check.needed || check.state == Condition::Up)
    }

    /// Describes every component in one line, those that are not up first.
    pub(crate) fn summary(&self) -> String {
        if self.is_shutting_down {
            return String::from("Not ready: the server is about to stop.");
        }
        let (well, wrong): (Vec<&Check>, Vec<&Check>) =
            self.checks.iter().partition(|check| check.state == Condition::Up);
        let checks = wrong.into_iter().chain(well);
        let checks = checks.map(|check| {
            let told = format!("{} is {} since {}", check.name, check.state, check.since);
            if check.state == Condition::Up || check.needed_by.is_empty() {
                told
            } else {
                format!("{told} (needed by {})", check.needed_by.join(", "))
            }
        });
        format!("Not ready: {}.", checks.collect::<Vec<_>>().join(", "))
    }
}

/// The health of a server: the last check of each component behind it, recorded by the health checks. `/health/ready` answers from it, so
/// that a probe costs nothing.
#[derive(Debug)]
pub struct Health(RwLock<Readiness>);

impl Health {
    /// Creates it with components that were not checked yet: each by name, and what fails without it: resources with all their requests, or single
    /// operations, without which the server still is ready for the others.
    pub fn new(
        components: impl IntoIterator<Item = (&'static str, &'static [&'static str])>,
        now: Timestamp,
    ) -> Self {
        let check = |(name, needed_by): (_, &'static [_])| Check {
            name,
            state: Condition::Unknown,
            since: rfc3339_millis(now),
            needed: needed_by.iter().any(|name| RESOURCES.contains(name)),
            needed_by,
        };
        let checks = components.into_iter().map(check).collect();
        Self(RwLock::new(Readiness { checks, set_aside_events: None, is_shutting_down: false }))
    }

    /// Records the condition of a component; returns whether it changed.
    pub fn record(&self, name: &str, state: Condition, now: Timestamp) -> bool {
        let mut readiness = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let found = readiness.checks.iter_mut().find(|check| check.name == name && check.state != state);
        let Some(check) = found else { return false };
        check.state = state;
        check.since = rfc3339_millis(now);
        true
    }

    /// Records the number of events that were set aside, if it is known.
    pub fn record_set_aside(&self, events: Option<u64>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).set_aside_events = events;
    }

    /// Begins the shutdown: from now on the server is not ready, and every answer closes its connection.
    pub fn begin_shutdown(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).is_shutting_down = true;
    }

    /// Whether the shutdown has begun.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_shutting_down
    }

    /// Returns the condition of each component by its name.
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
        let health = Health::new(
            [("store", RESOURCES.get(..2).unwrap()), ("verifier", &["complete"]), ("bus", &[])],
            now,
        );
        assert!(!health.readiness().is_ready(), "nobody has looked yet");
        assert!(health.record("store", Condition::Up, now));
        assert!(!health.record("store", Condition::Up, now), "no news");
        assert!(health.readiness().is_ready());
        health.record("bus", Condition::Down, now);
        health.record("verifier", Condition::Down, now);
        assert!(health.readiness().is_ready());
        health.record("store", Condition::Down, now);
        assert_eq!(
            health.readiness().summary(),
            "Not ready: store is down since 1970-01-01T00:00:00.000Z (needed by device_dispenses, contract_divisions), \
             verifier is down since 1970-01-01T00:00:00.000Z (needed by complete), bus is down since 1970-01-01T00:00:00.000Z."
        );
        assert!(!health.readiness().is_ready());
        health.record("store", Condition::Up, now);
        health.begin_shutdown();
        assert!(!health.readiness().is_ready());
        assert_eq!(health.readiness().summary(), "Not ready: the server is about to stop.");
    }
}
