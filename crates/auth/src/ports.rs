use async_trait::async_trait;
use esoz_kernel::StoreError;

use crate::{ApiKeyFacts, Secret, TokenFacts};

/// Looks up access tokens.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait AccessTokens: Send + Sync {
    /// Looks up the facts about a presented token; `Ok(None)` when there is no such token.
    ///
    /// An adapter MUST return what is stored and leave it to [`crate::token::verify`] whether it is valid.
    ///
    /// # Errors
    /// [`StoreError`] when the lookup failed. The caller is then refused.
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError>;
}

/// Looks up api keys.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Looks up the facts about a presented key; `Ok(None)` when there is no such key.
    ///
    /// An adapter MUST return what is stored and leave it to [`crate::api_key::verify`] whether it is valid.
    ///
    /// # Errors
    /// [`StoreError`] when the lookup failed. The caller is then refused.
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError>;
}
