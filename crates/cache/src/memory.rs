//! What the three caches share: facts, each with the time at which the lookup that found it began.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use esoz_kernel::StoreError;
use moka::ops::compute::Op;
use moka::sync::Cache;

/// How long a cache remembers, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// The longest that a changed fact may go unnoticed. Zero: nothing is remembered.
    pub ttl: Duration,
    /// The most facts to remember.
    pub max_entries: u64,
}

/// How often a cache knew the answer, since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Lookups answered from memory.
    pub hits: u64,
    /// Lookups that went on to the store.
    pub misses: u64,
}

/// Says what time it is.
type Now = Box<dyn Fn() -> Instant + Send + Sync>;

/// A fact and how old it is.
#[derive(Clone)]
struct Remembered<V> {
    /// When the lookup that found it began: what the store held before that is not in it, what came after may be missing.
    since: Instant,
    value: V,
}

/// Moka takes no more than 1000 years. It only clears away what has grown too old; whether a fact may still be given out is
/// decided when it is read.
const MAX_CLEARING_AGE: Duration = Duration::from_hours(24);

/// A bounded memory of facts.
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

    /// The fact from memory if it is young enough, else from the lookup; what that finds is remembered.
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
        // A future does nothing before it is awaited: the lookup begins after `since`.
        let found = lookup.await?;
        if let Some(value) = &found {
            self.remember(key, Remembered { since, value: value.clone() });
        }
        Ok(found)
    }

    pub(crate) fn stats(&self) -> CacheStats {
        CacheStats { hits: self.hits.load(Ordering::Relaxed), misses: self.misses.load(Ordering::Relaxed) }
    }

    /// How many facts are in memory, once what has grown too old is cleared away.
    pub(crate) fn count(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    fn is_fresh(&self, known: &Remembered<V>, now: Instant) -> bool {
        now.saturating_duration_since(known.since) < self.ttl
    }

    /// Keeps the fact, unless a later lookup was faster.
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
