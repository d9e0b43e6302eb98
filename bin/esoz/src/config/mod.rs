//! The configuration: a TOML file, overridden by environment variables; defaults fill the rest.
//!
//! `load.rs` makes a configuration, `schema.rs` defines every key, `sources.rs` merges the sources, `variables.rs` knows the names of variables, `opentelemetry.rs` those of OpenTelemetry, `validate.rs` refuses
//! impossible values, `typed.rs`, `bind.rs`, `dispenses.rs`, `documents.rs`, `kafka.rs`, `otlp.rs`, `registries.rs` and `secrets.rs` give the values their types, `features.rs` refuses what the build lacks,
//! `masked.rs` and `masked_url.rs` mask secrets that are shown, `secret_files.rs` knows which files hold secrets. Every refusal names the key and the source of its
//! value, and all problems are refused at once.

mod bind;
mod dispenses;
mod documents;
mod features;
#[cfg(feature = "servers")]
mod kafka;
mod load;
mod masked;
mod masked_url;
#[cfg(feature = "otlp")]
mod opentelemetry;
#[cfg(feature = "otlp")]
mod otlp;
mod problems;
mod registries;
mod schema;
mod secret_files;
mod secrets;
mod sources;
mod typed;
mod validate;
mod variables;

pub(crate) use bind::BindAddress;
pub(crate) use documents::{MediaKind, VerifierKind};
pub use load::Config;
pub(crate) use load::Effective;
pub(crate) use problems::refuse_all;
pub(crate) use secret_files::REMEDY as SECRET_FILES_REMEDY;
pub(crate) use typed::{Bus, StoreKind, TokenSource, number, optional};

#[cfg(test)]
mod tests;
