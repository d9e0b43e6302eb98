#![doc = include_str!("../README.md")]

mod bearer;
mod claims;
mod error;
mod esoz;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http;
mod introspection;
mod json;
mod jwt;
mod settings;

pub use esoz::EsozTokens;
pub use esoz_https::SettingsError;
pub use introspection::{IntrospectedTokens, IntrospectionSettings};
pub use jwt::{Algorithm, JwtAccessTokens, JwtSettings};
pub use settings::RemoteServer;
