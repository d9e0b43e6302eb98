use std::sync::Arc;

use esoz_kernel::{Clock, StoreError, failure};

use crate::{AccessTokens, ApiKeyHolder, ApiKeys, Principal, Rejection, Secret, api_key, token};

failure! {
    /// Why a caller is not authenticated. The texts are part of the protocol.
    #[derive(Debug)]
    pub enum AuthError {
        /// The request has no bearer token (S01).
        NoBearerToken => Unauthenticated, "no_bearer_token",
            "Authorization header is not set or doesn't contain Bearer token";
        /// The token is not valid; the caller does not learn why (S02, S03, S05).
        InvalidToken(rejection: Rejection = Rejection::Unknown) => InvalidToken, "invalid_token", "Invalid access token",
            reason rejection.code();
        /// The request has no api key (U01).
        NoApiKey => Unauthenticated, "no_api_key", "Api key is not set";
        /// The api key is not valid; the caller does not learn why (U01).
        InvalidApiKey(rejection: Rejection = Rejection::Unknown) => Unauthenticated, "invalid_api_key", "Invalid api key",
            reason rejection.code();
    } wraps {
        /// The store of tokens and keys failed (P05, Q04).
        Store(StoreError) => "authentication could not be carried out";
    }
}

/// Authenticates callers by access token and api key.
#[derive(Clone)]
pub struct Authentication {
    tokens: Arc<dyn AccessTokens>,
    api_keys: Arc<dyn ApiKeys>,
    clock: Arc<dyn Clock>,
}

impl Authentication {
    /// Creates it on the ports of tokens and api keys, and the clock for expiry.
    pub fn new(tokens: Arc<dyn AccessTokens>, api_keys: Arc<dyn ApiKeys>, clock: Arc<dyn Clock>) -> Self {
        Self { tokens, api_keys, clock }
    }

    /// Authenticates a user by access token (stop rules 1 and 2, update rule 2). `presented` is what followed `Bearer`, if anything did.
    ///
    /// # Errors
    /// [`AuthError`] when there is no token, it is not valid, or the lookup failed.
    pub async fn token(&self, presented: Option<Secret>) -> Result<Principal, AuthError> {
        let presented = presented.ok_or(AuthError::NoBearerToken)?;
        let facts = self.tokens.find(&presented).await.map_err(AuthError::Store)?;
        token::verify(&presented, facts, self.clock.now()).map_err(AuthError::InvalidToken)
    }

    /// Authenticates the calling software by api key (update rule 1). `presented` is the value of the header, if it is not empty.
    ///
    /// # Errors
    /// [`AuthError`] when there is no key, it is not valid, or the lookup failed.
    pub async fn api_key(&self, presented: Option<Secret>) -> Result<ApiKeyHolder, AuthError> {
        let presented = presented.ok_or(AuthError::NoApiKey)?;
        let facts = self.api_keys.find(&presented).await.map_err(AuthError::Store)?;
        api_key::verify(&presented, facts).map_err(AuthError::InvalidApiKey)
    }
}

#[cfg(test)]
#[path = "authentication_tests.rs"]
mod tests;
