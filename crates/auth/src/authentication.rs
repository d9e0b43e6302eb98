use std::sync::Arc;

use esoz_kernel::{Clock, ErrorKind, Failure, StoreError};

use crate::{AccessTokens, ApiKeyHolder, ApiKeys, Principal, Secret, api_key, token};

/// Why a caller is not let in. The texts are part of the protocol.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// There is no bearer token in the request (S01).
    #[error("Authorization header is not set or doesn't contain Bearer token")]
    NoBearerToken,
    /// The token is not valid; why stays with us (S02, S03, S05).
    #[error("Invalid access token")]
    InvalidToken,
    /// There is no api key in the request (U01).
    #[error("Api key is not set")]
    NoApiKey,
    /// The api key is not valid; why stays with us (U01).
    #[error("Invalid api key")]
    InvalidApiKey,
    /// The facts could not be had (P05, Q04).
    #[error("authentication could not be carried out")]
    Store(#[source] StoreError),
}

impl Failure for AuthError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoBearerToken | Self::NoApiKey | Self::InvalidApiKey => ErrorKind::Unauthenticated,
            Self::InvalidToken => ErrorKind::InvalidToken,
            Self::Store(error) => Failure::kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoBearerToken => "no_bearer_token",
            Self::InvalidToken => "invalid_token",
            Self::NoApiKey => "no_api_key",
            Self::InvalidApiKey => "invalid_api_key",
            Self::Store(error) => error.code(),
        }
    }

    fn codes() -> Vec<&'static str> {
        let own = [Self::NoBearerToken, Self::InvalidToken, Self::NoApiKey, Self::InvalidApiKey];
        [own.iter().map(Self::code).collect(), StoreError::codes()].concat()
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
