#![doc = include_str!("../README.md")]

mod registries;

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use esoz_auth::{AccessTokens, ApiKeyFacts, ApiKeys, Secret, SecretDigest, TokenFacts};
use esoz_kernel::{LegalEntityId, StoreError};
use esoz_legal_entity::{LegalEntities, LegalEntity};
use moka::ops::compute::Op;
use moka::sync::Cache;

pub use registries::{
    CachedDeviceDefinitions, CachedEmployees, CachedLegalEntityNames, CachedLocations, CachedMedicalPrograms,
    CachedParties, CachedPersons, CachedProgramDevices, ChosenDevices,
};

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

/// The age at which moka evicts an entry; it accepts at most 1000 years. Whether an entry is fresh is decided at each read, by
/// [`CacheLimits::ttl`].
const MAX_CLEARING_AGE: Duration = Duration::from_hours(24);

/// The clock of a cache.
pub type Now = Box<dyn Fn() -> Instant + Send + Sync>;

/// A cached value with its age.
#[derive(Clone)]
struct Remembered<V> {
    /// The start of the lookup that found the value: a change in the store after that may be missing from it.
    since: Instant,
    value: V,
}

/// A port with a bounded cache in front of it.
pub struct Cached<P: ?Sized, K, V> {
    inner: Arc<P>,
    entries: Cache<K, Remembered<V>>,
    ttl: Duration,
    now: Now,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<P: ?Sized, K, V> Cached<P, K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Wraps the port in a cache.
    pub fn new(inner: Arc<P>, limits: CacheLimits) -> Self {
        Self::with_clock(inner, limits, Box::new(Instant::now))
    }

    /// Wraps the port in a cache whose values age by that clock: for tests that move it.
    pub fn with_clock(inner: Arc<P>, limits: CacheLimits, now: Now) -> Self {
        Self::weighing(inner, limits, now, |_, _| 1)
    }

    /// Wraps the port in a cache whose entries count as so many towards [`CacheLimits::max_entries`].
    fn weighing(inner: Arc<P>, limits: CacheLimits, now: Now, weight: fn(&K, &V) -> u32) -> Self {
        let CacheLimits { ttl, max_entries } = limits;
        let entries = Cache::builder()
            .max_capacity(max_entries)
            .weigher(move |key, known: &Remembered<V>| weight(key, &known.value))
            .time_to_live(ttl.min(MAX_CLEARING_AGE))
            .build();
        Self { inner, entries, ttl, now, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// Returns the hits and misses so far.
    pub fn stats(&self) -> CacheStats {
        CacheStats { hits: self.hits.load(Ordering::Relaxed), misses: self.misses.load(Ordering::Relaxed) }
    }

    /// Returns the number of entries after eviction of the expired ones.
    pub fn entries(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    /// Returns the cached value if it is fresh, else runs the lookup and caches what it finds.
    async fn get_or_find(
        &self,
        key: K,
        lookup: impl Future<Output = Result<Option<V>, StoreError>>,
    ) -> Result<Option<V>, StoreError> {
        let since = (self.now)();
        if let Some(known) = self.fresh(&key, since) {
            return Ok(Some(known));
        }
        // A future does nothing before it is polled, so the lookup begins after `since`.
        let found = lookup.await?;
        if let Some(value) = &found {
            self.remember(key, since, value);
        }
        Ok(found)
    }

    /// Returns the cached value if it is fresh. Counts a hit or a miss.
    fn fresh(&self, key: &K, now: Instant) -> Option<V> {
        let is_fresh = |known: &Remembered<V>| now.saturating_duration_since(known.since) < self.ttl;
        let known = self.entries.get(key).filter(is_fresh);
        let count = if known.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        known.map(|known| known.value)
    }

    /// Caches the value of a lookup that began then, unless one from a later lookup is there already.
    fn remember(&self, key: K, since: Instant, value: &V) {
        self.entries.entry(key).and_compute_with(|known| {
            if known.is_some_and(|known| known.value().since > since) {
                Op::Nop
            } else {
                Op::Put(Remembered { since, value: value.clone() })
            }
        });
    }
}

/// Caches facts about access tokens by the digest of the token. A revocation, or a block of its user or client, takes effect within
/// [`CacheLimits::ttl`].
pub type CachedAccessTokens = Cached<dyn AccessTokens, SecretDigest, TokenFacts>;

/// Caches facts about api keys by the digest of the key. A revocation, or a block of its client, takes effect within
/// [`CacheLimits::ttl`].
pub type CachedApiKeys = Cached<dyn ApiKeys, SecretDigest, ApiKeyFacts>;

/// Caches legal entities by id. A change of type or status takes effect within [`CacheLimits::ttl`].
pub type CachedLegalEntities = Cached<dyn LegalEntities, LegalEntityId, LegalEntity>;

#[async_trait]
impl AccessTokens for CachedAccessTokens {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        self.get_or_find(presented.digest(), self.inner.find(presented)).await
    }
}

#[async_trait]
impl ApiKeys for CachedApiKeys {
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError> {
        self.get_or_find(presented.digest(), self.inner.find(presented)).await
    }
}

#[async_trait]
impl LegalEntities for CachedLegalEntities {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        self.get_or_find(id, self.inner.find(id)).await
    }
}

#[cfg(test)]
mod decorators_tests;
#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod registries_tests;
