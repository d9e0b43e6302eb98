//! The caches in front of the lookups that every request makes.

use std::sync::Arc;
use std::time::Duration;

use esoz_auth::{AccessTokens, ApiKeys};
use esoz_cache::{CacheLimits, CacheStats, CachedAccessTokens, CachedApiKeys, CachedLegalEntities};
use esoz_legal_entity::LegalEntities;

use super::stores::Stores;
use crate::config::Config;

const ACCESS_TOKENS: &str = "access_tokens";
const API_KEYS: &str = "api_keys";
const LEGAL_ENTITIES: &str = "legal_entities";

/// Every cache.
pub(crate) const NAMES: [&str; 3] = [ACCESS_TOKENS, API_KEYS, LEGAL_ENTITIES];

/// For each cache that there is: how often it knew the answer, and how many facts it holds.
pub(crate) type CacheCounts = Vec<(&'static str, Box<dyn Fn() -> (CacheStats, u64) + Send + Sync>)>;

/// The ports behind their caches.
pub(crate) struct Cached {
    pub(crate) access_tokens: Arc<dyn AccessTokens>,
    pub(crate) api_keys: Arc<dyn ApiKeys>,
    pub(crate) legal_entities: Arc<dyn LegalEntities>,
    pub(crate) counts: CacheCounts,
}

impl Cached {
    /// Puts the configured caches in front of the stores; none when nothing is to be remembered.
    pub(crate) fn new(config: &Config, stores: &Stores) -> Self {
        let cache = &config.sections.cache;
        let (access_tokens, api_keys) = (stores.access_tokens.clone(), stores.api_keys.clone());
        let legal_entities = stores.legal_entities.clone();
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
