#![doc = include_str!("../README.md")]

mod decorators;
mod memory;

pub use decorators::{CachedAccessTokens, CachedApiKeys, CachedLegalEntities};
pub use memory::{CacheLimits, CacheStats};
