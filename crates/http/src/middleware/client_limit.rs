use std::sync::Arc;
use std::time::Duration;

use esoz_kernel::ClientId;
use governor::clock::Reference as _;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::clock::{GovernorClock, MonotonicClock};
use super::rate_limit::{Pruning, RateLimitStatus, quota};

type Limiter = RateLimiter<ClientId, HashMapStateStore<ClientId>, GovernorClock, StateInformationMiddleware>;

/// What each client may still send. Only clients that have proved who they are have an entry, so nobody spends for another, and
/// made-up tokens fill no memory.
pub(super) struct ClientRateLimit {
    limiter: Limiter,
    quota: Quota,
    pruning: Pruning,
}

impl ClientRateLimit {
    /// `None` when there is no limit.
    pub(super) fn new(
        per_second: u32,
        burst: u32,
        monotonic_clock: &Arc<dyn MonotonicClock>,
    ) -> Option<Self> {
        let steady = quota(per_second, Quota::per_second)?;
        let quota = quota(burst.max(per_second), |burst| steady.allow_burst(burst))?;
        let limiter = RateLimiter::hashmap_with_clock(quota, GovernorClock(Arc::clone(monotonic_clock)));
        Some(Self { limiter: limiter.with_middleware(), quota, pruning: Pruning::new() })
    }

    /// Takes one; gives what is remaining, or what is not enough.
    pub(super) fn check(&self, client: ClientId) -> Result<RateLimitStatus, RateLimitStatus> {
        let budget = |remaining, reset| RateLimitStatus::new("client", self.quota, remaining, reset);
        let spent = match self.limiter.check_key(&client) {
            Ok(state) => Ok(budget(state.remaining_burst_capacity(), self.quota.replenish_interval())),
            Err(not_yet) => {
                let now = governor::clock::Clock::now(self.limiter.clock());
                let wait: Duration = not_yet.earliest_possible().duration_since(now).into();
                Err(budget(0, wait))
            }
        };
        self.pruning.look(|| self.limiter.len(), || self.limiter.retain_recent());
        spent
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::Uuid;

    use super::super::clock::tests::Manual;
    use super::*;

    fn client(n: u128) -> ClientId {
        ClientId::new(Uuid::from_u128(n))
    }

    fn clients(per_second: u32, burst: u32) -> (ClientRateLimit, Arc<Manual>) {
        let manual = Arc::new(Manual::default());
        let monotonic_clock: Arc<dyn MonotonicClock> = manual.clone();
        (ClientRateLimit::new(per_second, burst, &monotonic_clock).unwrap(), manual)
    }

    #[test]
    fn a_burst_is_spent_and_fills_again_at_the_steady_rate() {
        let (clients, time) = clients(2, 3);
        let remaining: Vec<u32> = (0..3).map(|_| clients.check(client(1)).unwrap().remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = clients.check(client(1)).unwrap_err();
        assert_eq!((refused.remaining, refused.reset_s, refused.quota, refused.window_s), (0, 1, 3, 2));
        time.advance(Duration::from_millis(499));
        assert!(clients.check(client(1)).is_err());
        time.advance(Duration::from_millis(1));
        assert!(clients.check(client(1)).is_ok());
        assert!(clients.check(client(1)).is_err());
        time.advance(Duration::from_mins(1));
        assert_eq!(clients.check(client(1)).unwrap().remaining, 2, "no more than the burst is saved up");
    }

    #[test]
    fn one_client_spends_nothing_of_another() {
        let (clients, _) = clients(1, 1);
        assert!(clients.check(client(1)).is_ok());
        assert!(clients.check(client(1)).is_err());
        assert!(clients.check(client(2)).is_ok());
    }

    #[test]
    fn clients_that_have_all_their_budget_are_forgotten() {
        let (clients, time) = clients(1, 1);
        for round in 0..10 {
            for n in 0..1_000 {
                assert!(clients.check(client(round * 1_000 + n)).is_ok());
            }
            time.advance(Duration::from_secs(10));
        }
        assert!(clients.limiter.len() < 3_000, "{}", clients.limiter.len());
        // Whoever has spent something is not.
        assert!(clients.check(client(7)).is_ok());
        for n in 20_000..22_000 {
            assert!(clients.check(client(n)).is_ok());
        }
        assert!(clients.check(client(7)).is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        let monotonic_clock: Arc<dyn MonotonicClock> = Arc::new(Manual::default());
        assert!(ClientRateLimit::new(0, 5, &monotonic_clock).is_none());
    }
}
