use std::sync::Arc;

use async_trait::async_trait;
use esoz_auth::{AccessTokens, ApiKeyFacts, ApiKeys, Secret, SecretDigest, TokenFacts};
use esoz_kernel::{LegalEntityId, StoreError};
use esoz_legal_entity::{LegalEntities, LegalEntity};

use crate::memory::{CacheLimits, CacheStats, Memory};

/// Caches facts about access tokens by the digest of the token. A revocation, or a block of its user or client, takes effect within
/// [`CacheLimits::ttl`].
pub struct CachedAccessTokens {
    inner: Arc<dyn AccessTokens>,
    memory: Memory<SecretDigest, TokenFacts>,
}

impl CachedAccessTokens {
    /// Wraps the port in a cache.
    pub fn new(inner: Arc<dyn AccessTokens>, limits: CacheLimits) -> Self {
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

#[async_trait]
impl AccessTokens for CachedAccessTokens {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        self.memory.get_or_find(presented.digest(), self.inner.find(presented)).await
    }
}

/// Caches facts about api keys by the digest of the key. A revocation, or a block of its client, takes effect within
/// [`CacheLimits::ttl`].
pub struct CachedApiKeys {
    inner: Arc<dyn ApiKeys>,
    memory: Memory<SecretDigest, ApiKeyFacts>,
}

impl CachedApiKeys {
    /// Wraps the port in a cache.
    pub fn new(inner: Arc<dyn ApiKeys>, limits: CacheLimits) -> Self {
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

#[async_trait]
impl ApiKeys for CachedApiKeys {
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError> {
        self.memory.get_or_find(presented.digest(), self.inner.find(presented)).await
    }
}

/// Caches legal entities by id. A change of type or status takes effect within [`CacheLimits::ttl`].
pub struct CachedLegalEntities {
    inner: Arc<dyn LegalEntities>,
    memory: Memory<LegalEntityId, LegalEntity>,
}

impl CachedLegalEntities {
    /// Wraps the port in a cache.
    pub fn new(inner: Arc<dyn LegalEntities>, limits: CacheLimits) -> Self {
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

#[async_trait]
impl LegalEntities for CachedLegalEntities {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        self.memory.get_or_find(id, self.inner.find(id)).await
    }
}

#[cfg(test)]
#[path = "decorators_tests.rs"]
mod tests;
