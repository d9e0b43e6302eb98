#![doc = include_str!("../README.md")]

mod decorators;
mod memory;

pub use decorators::{Cached, CachedAccessTokens, CachedApiKeys, CachedLegalEntities};
pub use memory::{CacheLimits, CacheStats};
