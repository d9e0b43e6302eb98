use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::Quota;

/// The header that tells what is allowed.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The header that tells what is remaining.
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// What somebody may do, and how much of it is remaining (draft-ietf-httpapi-ratelimit-headers-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimitStatus {
    name: &'static str,
    /// How much may be done at once.
    pub(crate) quota: u32,
    /// Within which time it fills from nothing, in seconds.
    pub(crate) window_s: u64,
    /// What is remaining.
    pub(crate) remaining: u32,
    /// How long it is until there is more, in seconds.
    pub(crate) reset_s: u32,
}

impl RateLimitStatus {
    pub(super) fn new(name: &'static str, quota: Quota, remaining: u32, reset: Duration) -> Self {
        let window_s = whole_seconds(quota.burst_size_replenished_in());
        let reset_s = u32::try_from(whole_seconds(reset)).unwrap_or(u32::MAX);
        Self { name, quota: quota.burst_size().get(), window_s, remaining, reset_s }
    }

    /// Says it in the headers of an answer.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        let Self { name, quota, window_s, remaining, reset_s } = self;
        let policy = format!("\"{name}\";q={quota};w={window_s}");
        let remaining = format!("\"{name}\";r={remaining};t={reset_s}");
        for (header, value) in [(POLICY, policy), (LEFT, remaining)] {
            // Built from our own words: it always is a header.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(header, value);
            }
        }
    }
}

/// Rounded up, and at least one.
fn whole_seconds(duration: Duration) -> u64 {
    let up = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(up).max(1)
}

/// So many in that time; `None` when there is no limit.
pub(super) fn quota(many: u32, per: impl FnOnce(NonZeroU32) -> Quota) -> Option<Quota> {
    NonZeroU32::new(many).map(per)
}

/// The fewest entries that are worth looking through.
const FEWEST: usize = 1_024;

/// When entries that say no more than none at all are thrown away: whenever there are twice as many as were needed the last time.
pub(super) struct Pruning(AtomicUsize);

impl Pruning {
    pub(super) const fn new() -> Self {
        Self(AtomicUsize::new(FEWEST))
    }

    /// Looks whether it is time: `len` counts entries, `prune` throws away.
    pub(super) fn look(&self, len: impl Fn() -> usize, prune: impl FnOnce()) {
        if len() >= self.0.load(Ordering::Relaxed) {
            prune();
            self.0.store(len().saturating_mul(2).max(FEWEST), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_and_never_none() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }

    #[test]
    fn a_budget_is_told_as_structured_fields() {
        let quota = quota(10, Quota::per_second).unwrap().allow_burst(NonZeroU32::new(25).unwrap());
        let mut headers = HeaderMap::new();
        RateLimitStatus::new("client", quota, 7, Duration::from_millis(30)).write_headers(&mut headers);
        assert_eq!(headers.get(POLICY).unwrap(), "\"client\";q=25;w=3");
        assert_eq!(headers.get(LEFT).unwrap(), "\"client\";r=7;t=1");
    }
}
