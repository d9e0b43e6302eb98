use async_trait::async_trait;
use esoz_kernel::StoreError;

use crate::{ApiKeyFacts, Secret, TokenFacts};

/// Looks up access tokens.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait AccessTokens: Send + Sync {
    /// The facts about the presented token; `Ok(None)` when there is no such token.
    ///
    /// An adapter MUST return what is stored and leave it to [`crate::token::verify`] whether that is good enough.
    ///
    /// # Errors
    /// [`StoreError`] when the facts cannot be had. The caller is then refused.
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError>;
}

/// Looks up api keys.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// The facts about the presented key; `Ok(None)` when there is no such key.
    ///
    /// An adapter MUST return what is stored and leave it to [`crate::api_key::verify`] whether that is good enough.
    ///
    /// # Errors
    /// [`StoreError`] when the facts cannot be had. The caller is then refused.
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError>;
}
