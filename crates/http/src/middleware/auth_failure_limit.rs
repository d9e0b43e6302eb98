use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::clock::{GovernorClock, MonotonicClock};
use super::rate_limit::{Pruning, RateLimitStatus, quota};

/// How often each address has failed of late to prove who it is. Slows guessing; behind a proxy all clients share its address.
pub(super) struct AuthFailureLimit {
    limiter: RateLimiter<Visit, Records, GovernorClock, NoOpMiddleware<Duration>>,
    quota: Quota,
    pruning: Pruning,
}

impl AuthFailureLimit {
    /// `None` when there is no limit.
    pub(super) fn new(per_minute: u32, monotonic_clock: &Arc<dyn MonotonicClock>) -> Option<Self> {
        let quota = quota(per_minute, Quota::per_minute)?;
        let limiter = RateLimiter::new(quota, Records::default(), GovernorClock(Arc::clone(monotonic_clock)));
        Some(Self { limiter, quota, pruning: Pruning::new() })
    }

    /// Whether another failure would still be within the limit.
    pub(super) fn check(&self, from: IpAddr) -> Result<(), RateLimitStatus> {
        self.limiter.check_key(&Visit { from: network(from), failed: false }).map_err(|not_yet| {
            let wait: Duration =
                not_yet.earliest_possible().duration_since(self.limiter.clock().now()).into();
            RateLimitStatus::new("failed-authentications", self.quota, 0, wait)
        })
    }

    /// Notes a failure. One beyond the limit, from a request that was let in before, changes nothing.
    pub(super) fn record(&self, from: IpAddr) {
        let within = self.limiter.check_key(&Visit { from: network(from), failed: true });
        drop(within);
        self.pruning.look(|| self.limiter.len(), || self.limiter.retain_recent());
    }
}

/// An address, or what belongs to one subscriber: with IPv6 that is a network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        address @ IpAddr::V4(_) => address,
    }
}

/// Somebody at an address asks; whether that is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Visit {
    from: IpAddr,
    failed: bool,
}

/// What is remembered of each address.
#[derive(Debug, Default)]
struct Records(Mutex<HashMap<IpAddr, Nanos>>);

impl Records {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Nanos>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Records {
    type Key = Visit;

    fn measure_and_replace<T, F, E>(&self, visit: &Visit, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut records = self.lock();
        let (outcome, next) = measure(records.get(&visit.from).copied())?;
        if visit.failed {
            records.insert(visit.from, next);
        }
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<Visit> for Records {
    fn retain_recent(&self, drop_below: Nanos) {
        self.lock().retain(|_, until| *until > drop_below);
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::tests::Manual;
    use super::*;

    fn failures(per_minute: u32) -> (AuthFailureLimit, Arc<Manual>) {
        let manual = Arc::new(Manual::default());
        let monotonic_clock: Arc<dyn MonotonicClock> = manual.clone();
        (AuthFailureLimit::new(per_minute, &monotonic_clock).unwrap(), manual)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_failures_count() {
        let (failures, time) = failures(3);
        let from = address("192.0.2.1");
        for _ in 0..100 {
            assert!(failures.check(from).is_ok());
        }
        for _ in 0..3 {
            assert!(failures.check(from).is_ok());
            failures.record(from);
        }
        let refused = failures.check(from).unwrap_err();
        assert_eq!((refused.quota, refused.window_s, refused.reset_s), (3, 60, 20));
        assert!(failures.check(address("192.0.2.2")).is_ok());
        // One that was let in before the limit was reached does not lengthen it.
        failures.record(from);
        time.advance(Duration::from_secs(20));
        assert!(failures.check(from).is_ok());
        failures.record(from);
        assert!(failures.check(from).is_err());
    }

    #[test]
    fn an_ipv6_network_is_one_stranger() {
        let (failures, _) = failures(1);
        failures.record(address("2001:db8:1:2::1"));
        assert!(failures.check(address("2001:db8:1:2:ffff::2")).is_err());
        assert!(failures.check(address("2001:db8:1:3::1")).is_ok());
        failures.record(address("::ffff:192.0.2.1"));
        assert!(failures.check(address("192.0.2.1")).is_err());
    }

    #[test]
    fn addresses_whose_failures_are_over_are_forgotten() {
        let (failures, time) = failures(60);
        for round in 0..10_u32 {
            for n in 0..1_000 {
                failures.record(IpAddr::V4((round * 1_000 + n).into()));
            }
            time.advance(Duration::from_mins(2));
        }
        assert!(failures.limiter.len() < 3_000, "{}", failures.limiter.len());
    }
}
