//! Which caches are in front of the lookups that every request makes, and of registries that are asked elsewhere.

use std::sync::Arc;
use std::time::Duration;

use esoz_auth::{AccessTokens, ApiKeys};
use esoz_cache::{
    CacheLimits, CacheStats, CachedAccessTokens, CachedApiKeys, CachedDeviceDefinitions, CachedEmployees,
    CachedLegalEntities, CachedLegalEntityNames, CachedLocations, CachedMedicalPrograms, CachedParties,
    CachedPersons, CachedProgramDevices,
};
use esoz_legal_entity::LegalEntities;
use esoz_registries::{Registries, RegistryOverrides};

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
    pub(crate) registries: Arc<dyn Registries>,
    pub(crate) counts: CacheCounts,
}

/// Puts a cache in front of each override. Declares the names of these caches in metrics.
macro_rules! registry_caches {
    ($($field:ident: $cached:ident::$new:ident,)+) => {
        pub(crate) const REGISTRY_CACHES: [&str; [$(stringify!($field)),+].len()] = [$(stringify!($field)),+];

        fn cache_registries(overrides: &mut RegistryOverrides, limits: CacheLimits) -> CacheCounts {
            let mut counts = CacheCounts::new();
            $(
                if let Some(port) = &mut overrides.$field {
                    let cached = Arc::new($cached::$new(port.clone(), limits));
                    *port = cached.clone();
                    counts.push((stringify!($field), Box::new(move || (cached.stats(), cached.entries()))));
                }
            )+
            counts
        }
    };
}

registry_caches! {
    persons: CachedPersons::new,
    parties: CachedParties::new,
    employees: CachedEmployees::new,
    locations: CachedLocations::new,
    legal_entity_names: CachedLegalEntityNames::new,
    medical_programs: CachedMedicalPrograms::new,
    device_definitions: CachedDeviceDefinitions::new,
    program_devices: CachedProgramDevices::of_choices,
}

impl Cached {
    /// Puts the configured caches in front of the stores: none if `cache.ttl_ms` is 0, and none of registries if `registries.cache_ttl_ms` is.
    pub(crate) fn new(config: &Config, stores: &Stores) -> Self {
        let Stores { access_tokens, api_keys, legal_entities, registries, .. } = stores.clone();
        let (mut overrides, mut counts) = (stores.registry_overrides.clone(), CacheCounts::new());
        let section = &config.sections.registries;
        if section.cache_ttl_ms > 0 {
            let limits = limits(section.cache_ttl_ms, section.cache_max_entries);
            counts = cache_registries(&mut overrides, limits);
        }
        let registries = overrides.over(registries);
        let cache = &config.sections.cache;
        if cache.ttl_ms == 0 {
            return Self { access_tokens, api_keys, legal_entities, registries, counts };
        }
        let limits = limits(cache.ttl_ms, cache.max_entries);
        let access_tokens = Arc::new(CachedAccessTokens::new(access_tokens, limits));
        let api_keys = Arc::new(CachedApiKeys::new(api_keys, limits));
        let legal_entities = Arc::new(CachedLegalEntities::new(legal_entities, limits));
        let (tokens, keys, entities) = (access_tokens.clone(), api_keys.clone(), legal_entities.clone());
        let first: CacheCounts = vec![
            (ACCESS_TOKENS, Box::new(move || (tokens.stats(), tokens.entries()))),
            (API_KEYS, Box::new(move || (keys.stats(), keys.entries()))),
            (LEGAL_ENTITIES, Box::new(move || (entities.stats(), entities.entries()))),
        ];
        counts.splice(0..0, first);
        Self { access_tokens, api_keys, legal_entities, registries, counts }
    }
}

fn limits(ttl_ms: u64, max_entries: u64) -> CacheLimits {
    CacheLimits { ttl: Duration::from_millis(ttl_ms), max_entries }
}
