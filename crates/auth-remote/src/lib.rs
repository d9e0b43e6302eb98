#![doc = include_str!("../README.md")]

mod bearer;
mod claims;
mod error;
mod esoz;
mod introspection;
mod jwt;

pub use esoz::EsozTokens;
pub use esoz_https::{RemoteServer, SettingsError};
pub use introspection::{IntrospectedTokens, IntrospectionSettings};
pub use jwt::{Algorithm, JwtAccessTokens, JwtSettings};

/// Ways in for fuzz targets: interpret tokens and issuers' answers without a server.
#[cfg(feature = "fuzzing")]
pub mod fuzzing {
    pub use crate::esoz::interpret_body as esoz_verified;
    pub use crate::jwt::{facts_by as jwt_facts, usable_keys};
}
