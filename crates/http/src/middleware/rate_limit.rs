use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::header::HeaderName;

use super::clock::MonotonicClock;

/// The header with the policy: what is allowed.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The header with what remains.
const REMAINING: HeaderName = HeaderName::from_static("ratelimit");

/// A rate limit and how much of it remains (draft-ietf-httpapi-ratelimit-headers-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimitStatus {
    pub(super) name: &'static str,
    /// The size of a burst.
    pub(crate) quota: u32,
    /// The time in which an empty quota is full again, in seconds.
    pub(crate) window_s: u64,
    /// What remains of the quota.
    pub(crate) remaining: u32,
    /// The time until more remains, in seconds.
    pub(crate) reset_s: u32,
}

impl RateLimitStatus {
    /// The headers of an answer.
    pub(crate) fn headers(&self) -> [(HeaderName, String); 2] {
        let Self { name, quota, window_s, remaining, reset_s } = self;
        [
            (POLICY, format!("\"{name}\";q={quota};w={window_s}")),
            (REMAINING, format!("\"{name}\";r={remaining};t={reset_s}")),
        ]
    }
}

/// The duration in seconds, rounded up, and at least one.
fn whole_seconds(duration: Duration) -> u64 {
    let up = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(up).max(1)
}

/// The fewest keys that are worth pruning.
const PRUNE_AT_LEAST: usize = 1_024;

/// A rate limit for each key by the generic cell rate algorithm (GCRA, a leaky bucket): a quota that refills steadily.
pub(super) struct RateLimiter<K> {
    name: &'static str,
    quota: u32,
    /// The time in which one of the quota is refilled.
    interval: Duration,
    clock: Arc<dyn MonotonicClock>,
    keys: Mutex<Keys<K>>,
}

/// When the quota of each key is full again, and the number of keys at which those whose quota is full are pruned: twice as many as remained
/// the last time.
struct Keys<K> {
    full_at: HashMap<K, Duration>,
    prune_at: usize,
}

impl<K: Eq + Hash> RateLimiter<K> {
    /// Limits each key to `many` in every `period` in the long run, and to `quota` at once. `None` when `many` is 0: there is no limit.
    pub(super) fn new(
        name: &'static str,
        many: u32,
        period: Duration,
        quota: u32,
        clock: &Arc<dyn MonotonicClock>,
    ) -> Option<Self> {
        let interval = period.checked_div(many)?.max(Duration::from_nanos(1));
        let keys = Mutex::new(Keys { full_at: HashMap::new(), prune_at: PRUNE_AT_LEAST });
        Some(Self { name, quota, interval, clock: Arc::clone(clock), keys })
    }

    /// Takes one from the quota of a key; returns what remains.
    ///
    /// # Errors
    /// The exhausted limit.
    pub(super) fn take(&self, key: K) -> Result<RateLimitStatus, RateLimitStatus> {
        let (now, mut keys) = (self.clock.elapsed(), self.keys());
        let (full_at, status) = self.after_one_more(keys.full_at.get(&key), now)?;
        keys.full_at.insert(key, full_at);
        if keys.full_at.len() >= keys.prune_at {
            keys.full_at.retain(|_, full_at| *full_at > now);
            keys.prune_at = keys.full_at.len().saturating_mul(2).max(PRUNE_AT_LEAST);
        }
        Ok(status)
    }

    /// Checks that something of the quota of a key remains, without taking it.
    ///
    /// # Errors
    /// The exhausted limit.
    pub(super) fn check(&self, key: &K) -> Result<(), RateLimitStatus> {
        self.after_one_more(self.keys().full_at.get(key), self.clock.elapsed()).map(drop)
    }

    fn keys(&self) -> MutexGuard<'_, Keys<K>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the quota is full again once one more is taken, and what remains then.
    fn after_one_more(
        &self,
        full_at: Option<&Duration>,
        now: Duration,
    ) -> Result<(Duration, RateLimitStatus), RateLimitStatus> {
        let window = self.interval.saturating_mul(self.quota);
        let status = |remaining, reset| RateLimitStatus {
            name: self.name,
            quota: self.quota,
            window_s: whole_seconds(window),
            remaining,
            reset_s: u32::try_from(whole_seconds(reset)).unwrap_or(u32::MAX),
        };
        let full_at = full_at.map_or(now, |full_at| now.max(*full_at)).saturating_add(self.interval);
        match now.saturating_add(window).checked_sub(full_at) {
            Some(free) => {
                let remaining = free.as_nanos().checked_div(self.interval.as_nanos()).unwrap_or_default();
                Ok((full_at, status(u32::try_from(remaining).unwrap_or(u32::MAX), self.interval)))
            }
            None => Err(status(0, full_at.saturating_sub(now.saturating_add(window)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::tests::Manual;
    use super::*;

    fn limiter(many: u32, period_s: u64, quota: u32) -> (RateLimiter<u32>, Arc<Manual>) {
        let manual = Arc::new(Manual::default());
        let clock: Arc<dyn MonotonicClock> = manual.clone();
        (RateLimiter::new("test", many, Duration::from_secs(period_s), quota, &clock).unwrap(), manual)
    }

    #[test]
    fn seconds_are_rounded_up_and_never_none() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }

    #[test]
    fn a_limit_is_told_as_structured_fields() {
        let status = RateLimitStatus { name: "client", quota: 25, window_s: 3, remaining: 7, reset_s: 1 };
        let expected = [(POLICY, "\"client\";q=25;w=3"), (REMAINING, "\"client\";r=7;t=1")];
        assert_eq!(status.headers(), expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn a_burst_is_spent_and_fills_again_at_the_steady_rate() {
        let (limiter, time) = limiter(2, 1, 3);
        let remaining: Vec<u32> = (0..3).map(|_| limiter.take(1).unwrap().remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = limiter.take(1).unwrap_err();
        assert_eq!((refused.remaining, refused.reset_s, refused.quota, refused.window_s), (0, 1, 3, 2));
        time.advance(Duration::from_millis(499));
        assert!(limiter.take(1).is_err());
        time.advance(Duration::from_millis(1));
        assert!(limiter.take(1).is_ok());
        assert!(limiter.take(1).is_err());
        time.advance(Duration::from_mins(1));
        assert_eq!(limiter.take(1).unwrap().remaining, 2, "no more than the burst is saved up");
    }

    #[test]
    fn one_key_spends_nothing_of_another() {
        let (limiter, _) = limiter(1, 1, 1);
        assert!(limiter.take(1).is_ok());
        assert!(limiter.take(1).is_err());
        assert!(limiter.take(2).is_ok());
    }

    #[test]
    fn only_what_is_taken_counts() {
        let (limiter, time) = limiter(3, 60, 3);
        for _ in 0..100 {
            assert!(limiter.check(&1).is_ok());
        }
        for _ in 0..3 {
            assert!(limiter.check(&1).is_ok());
            assert!(limiter.take(1).is_ok());
        }
        let refused = limiter.check(&1).unwrap_err();
        assert_eq!((refused.quota, refused.window_s, refused.reset_s), (3, 60, 20));
        assert!(limiter.check(&2).is_ok());
        // One that was let in before the limit was reached does not lengthen it.
        assert!(limiter.take(1).is_err());
        time.advance(Duration::from_secs(20));
        assert!(limiter.check(&1).is_ok());
        assert!(limiter.take(1).is_ok());
        assert!(limiter.check(&1).is_err());
    }

    #[test]
    fn keys_whose_quota_is_full_are_pruned() {
        let (limiter, time) = limiter(1, 1, 1);
        for round in 0..10 {
            for n in 0..1_000 {
                assert!(limiter.take(round * 1_000 + n).is_ok());
            }
            time.advance(Duration::from_secs(10));
        }
        let kept = limiter.keys().full_at.len();
        assert!(kept < 3_000, "{kept}");
        // A key that has spent something is not.
        assert!(limiter.take(7).is_ok());
        for n in 20_000..22_000 {
            assert!(limiter.take(n).is_ok());
        }
        assert!(limiter.take(7).is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        let clock: Arc<dyn MonotonicClock> = Arc::new(Manual::default());
        assert!(RateLimiter::<u32>::new("test", 0, Duration::from_secs(1), 5, &clock).is_none());
    }
}
