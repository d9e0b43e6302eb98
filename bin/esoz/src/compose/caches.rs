//! Which caches are in front of the lookups that every request makes.

use std::sync::Arc;
use std::time::Duration;

use esoz_auth::{AccessTokens, ApiKeys};
use esoz_cache::{CacheLimits, CacheStats, CachedAccessTokens, CachedApiKeys, CachedLegalEntities};
use esoz_legal_entity::LegalEntities;

use super::stores::Stores;
use crate::config::Config;

/// The names of the caches in metrics.
pub(crate) const ACCESS_TOKENS: &str = "access_tokens";
pub(crate) const API_KEYS: &str = "api_keys";
pub(crate) const LEGAL_ENTITIES: &str = "legal_entities";

/// Reads the hits, misses and number of entries of each cache.
pub(crate) type CacheCounts = Vec<(&'static str, Box<dyn Fn() -> (CacheStats, u64) + Send + Sync>)>;

/// The cached ports.
pub(crate) struct Cached {
    pub(crate) access_tokens: Arc<dyn AccessTokens>,
    pub(crate) api_keys: Arc<dyn ApiKeys>,
    pub(crate) legal_entities: Arc<dyn LegalEntities>,
    pub(crate) counts: CacheCounts,
}

impl Cached {
    /// Puts the configured caches in front of the stores; none if `cache.ttl_ms` is 0.
    pub(crate) fn new(config: &Config, stores: &Stores) -> Self {
        let cache = &config.sections.cache;
        let Stores { access_tokens, api_keys, legal_entities, .. } = stores.clone();
        if cache.ttl_ms == 0 {
            return Self { access_tokens, api_keys, legal_entities, counts: Vec::new() };
        }
        let limits = CacheLimits { ttl: Duration::from_millis(cache.ttl_ms), max_entries: cache.max_entries };
        let access_tokens = Arc::new(CachedAccessTokens::new(access_tokens, limits));
        let api_keys = Arc::new(CachedApiKeys::new(api_keys, limits));
        let legal_entities = Arc::new(CachedLegalEntities::new(legal_entities, limits));
        let (tokens, keys, entities) = (access_tokens.clone(), api_keys.clone(), legal_entities.clone());
        let counts: CacheCounts = vec![
            (ACCESS_TOKENS, Box::new(move || (tokens.stats(), tokens.entries()))),
            (API_KEYS, Box::new(move || (keys.stats(), keys.entries()))),
            (LEGAL_ENTITIES, Box::new(move || (entities.stats(), entities.entries()))),
        ];
        Self { access_tokens, api_keys, legal_entities, counts }
    }
}
