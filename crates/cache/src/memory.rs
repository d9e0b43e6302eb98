//! The cache behind the three decorators. Each entry has the time at which the lookup that found it began.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use esoz_kernel::StoreError;
use moka::ops::compute::Op;
use moka::sync::Cache;

/// Bounds of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// The maximum time for which a changed fact may go unnoticed. Zero disables the cache.
    pub ttl: Duration,
    /// The maximum number of entries.
    pub max_entries: u64,
}

/// Hits and misses of a cache since its creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Lookups that the cache answered.
    pub hits: u64,
    /// Lookups that went to the store.
    pub misses: u64,
}

/// The clock of the cache.
type Now = Box<dyn Fn() -> Instant + Send + Sync>;

/// A cached value with its age.
#[derive(Clone)]
struct Remembered<V> {
    /// The start of the lookup that found the value: a change in the store after that may be missing from it.
    since: Instant,
    value: V,
}

/// The age at which moka evicts an entry; it accepts at most 1000 years. Whether an entry is fresh is decided at each read, by
/// [`CacheLimits::ttl`].
const MAX_CLEARING_AGE: Duration = Duration::from_hours(24);

/// A bounded cache of facts.
pub(crate) struct Memory<K, V> {
    entries: Cache<K, Remembered<V>>,
    ttl: Duration,
    now: Now,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<K, V> Memory<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(limits: CacheLimits) -> Self {
        Self::with_clock(limits, Box::new(Instant::now))
    }

    pub(crate) fn with_clock(limits: CacheLimits, now: Now) -> Self {
        let CacheLimits { ttl, max_entries } = limits;
        let entries =
            Cache::builder().max_capacity(max_entries).time_to_live(ttl.min(MAX_CLEARING_AGE)).build();
        Self { entries, ttl, now, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// Returns the cached value if it is fresh, else runs the lookup and caches what it finds.
    pub(crate) async fn get_or_find(
        &self,
        key: K,
        lookup: impl Future<Output = Result<Option<V>, StoreError>>,
    ) -> Result<Option<V>, StoreError> {
        let since = (self.now)();
        if let Some(known) = self.entries.get(&key).filter(|known| self.is_fresh(known, since)) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Some(known.value));
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        // A future does nothing before it is polled, so the lookup begins after `since`.
        let found = lookup.await?;
        if let Some(value) = &found {
            self.remember(key, Remembered { since, value: value.clone() });
        }
        Ok(found)
    }

    pub(crate) fn stats(&self) -> CacheStats {
        CacheStats { hits: self.hits.load(Ordering::Relaxed), misses: self.misses.load(Ordering::Relaxed) }
    }

    /// Returns the number of entries after eviction of the expired ones.
    pub(crate) fn count(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    fn is_fresh(&self, known: &Remembered<V>, now: Instant) -> bool {
        now.saturating_duration_since(known.since) < self.ttl
    }

    /// Caches the value, unless one from a later lookup is there already.
    fn remember(&self, key: K, found: Remembered<V>) {
        self.entries.entry(key).and_compute_with(|known| {
            if known.is_some_and(|known| known.value().since > found.since) {
                Op::Nop
            } else {
                Op::Put(found)
            }
        });
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
