use std::sync::Arc;

use esoz_kernel::{Clock, StoreError, failure};

use crate::{AccessTokens, ApiKeyHolder, ApiKeys, Principal, Secret, api_key, token};

failure! {
    /// Why a caller is not authenticated. The texts are part of the protocol.
    #[derive(Debug)]
    pub enum AuthError {
        /// The request has no bearer token (S01).
        NoBearerToken => Unauthenticated, "no_bearer_token",
            "Authorization header is not set or doesn't contain Bearer token";
        /// The token is not valid; the caller does not learn why (S02, S03, S05).
        InvalidToken => InvalidToken, "invalid_token", "Invalid access token";
        /// The request has no api key (U01).
        NoApiKey => Unauthenticated, "no_api_key", "Api key is not set";
        /// The api key is not valid; the caller does not learn why (U01).
        InvalidApiKey => Unauthenticated, "invalid_api_key", "Invalid api key";
    } wraps {
        /// The store of tokens and keys failed (P05, Q04).
        Store(StoreError) => "authentication could not be carried out";
    }
}

/// Checks tokens and api keys.
#[derive(Clone)]
pub struct Authentication {
    tokens: Arc<dyn AccessTokens>,
    api_keys: Arc<dyn ApiKeys>,
    clock: Arc<dyn Clock>,
}

impl Authentication {
    /// Builds it on the two ports it asks and the clock that says what is expired.
    pub fn new(tokens: Arc<dyn AccessTokens>, api_keys: Arc<dyn ApiKeys>, clock: Arc<dyn Clock>) -> Self {
        Self { tokens, api_keys, clock }
    }

    /// Checks an access token (stop rules 1 and 2, update rule 2). `presented` is what followed `Bearer`, if anything did.
    pub async fn token(&self, presented: Option<Secret>) -> Result<Principal, AuthError> {
        let presented = presented.ok_or(AuthError::NoBearerToken)?;
        let facts = self.tokens.find(&presented).await.map_err(AuthError::Store)?;
        token::verify(&presented, facts, self.clock.now()).ok_or(AuthError::InvalidToken)
    }

    /// Checks an api key (update rule 1). `presented` is the value of the header, if it is there and not empty.
    pub async fn api_key(&self, presented: Option<Secret>) -> Result<ApiKeyHolder, AuthError> {
        let presented = presented.ok_or(AuthError::NoApiKey)?;
        let facts = self.api_keys.find(&presented).await.map_err(AuthError::Store)?;
        api_key::verify(&presented, facts).ok_or(AuthError::InvalidApiKey)
    }
}

#[cfg(test)]
#[path = "authentication_tests.rs"]
mod tests;
