use std::hash::Hash;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_auth::{AccessTokens, ApiKeyFacts, ApiKeys, Secret, SecretDigest, TokenFacts};
use esoz_kernel::{LegalEntityId, StoreError};
use esoz_legal_entity::{LegalEntities, LegalEntity};

use crate::memory::{CacheLimits, CacheStats, Memory};

/// A port with a cache in front of it.
pub struct Cached<P: ?Sized, K, V> {
    inner: Arc<P>,
    memory: Memory<K, V>,
}

impl<P: ?Sized, K, V> Cached<P, K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Wraps the port in a cache.
    pub fn new(inner: Arc<P>, limits: CacheLimits) -> Self {
        Self { inner, memory: Memory::new(limits) }
    }

    /// Returns the hits and misses so far.
    pub fn stats(&self) -> CacheStats {
        self.memory.stats()
    }

    /// Returns the number of entries.
    pub fn entries(&self) -> u64 {
        self.memory.count()
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
        self.memory.get_or_find(presented.digest(), self.inner.find(presented)).await
    }
}

#[async_trait]
impl ApiKeys for CachedApiKeys {
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError> {
        self.memory.get_or_find(presented.digest(), self.inner.find(presented)).await
    }
}

#[async_trait]
impl LegalEntities for CachedLegalEntities {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        self.memory.get_or_find(id, self.inner.find(id)).await
    }
}

#[cfg(test)]
#[path = "decorators_tests.rs"]
mod tests;
