#![doc = include_str!("../README.md")]

pub mod api_key;
mod authentication;
mod blocks;
mod credentials;
mod operation;
mod ports;
mod scope;
mod secret;
pub mod token;

pub use api_key::{ApiKeyFacts, ApiKeyHolder};
pub use authentication::{AuthError, Authentication};
pub use blocks::{Blocked, Blocks, ExternalAccessTokens};
pub use credentials::{BlockState, Credentials, ListedApiKey, ListedToken, NewAccessToken, NewApiKey};
pub use operation::{Caller, CallerKind, MissingAllowances, Operation, OperationInfo, Permit, authorize};
pub use ports::{AccessTokens, ApiKeys};
pub use scope::{Allowance, Scope};
pub use secret::{DigestPrefix, InvalidDigestPrefix, Secret, SecretDigest};
pub use token::{Principal, Rejection, TokenFacts, TokenKind};

#[cfg(any(test, feature = "mock"))]
pub use {
    blocks::MockBlocks,
    credentials::MockCredentials,
    ports::{MockAccessTokens, MockApiKeys},
};
