//! The configuration: a TOML file, overridden by environment variables; defaults fill the rest.
//!
//! `schema.rs` defines every key, `sources.rs` merges the sources, `validate.rs` refuses impossible values, `typed.rs` and `secrets.rs`
//! give the values their types. Every refusal names the key and the source of its value.

mod schema;
mod secrets;
mod sources;
mod typed;
mod validate;

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;
use toml::{Table, Value};

pub(crate) use schema::Sections;
pub(crate) use typed::{Bus, StoreKind, TokenSource};

/// A valid configuration. Its `Debug` masks secrets.
#[derive(Debug)]
pub struct Config {
    pub(crate) sections: Sections,
    sources: sources::Sources,
}

impl Config {
    /// Loads the configuration from the file, if one is given, and the environment of the process.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self> {
        Self::from_sources(file, std::env::vars_os())
    }

    /// Loads the configuration from the file, if one is given, and these environment variables.
    ///
    /// # Errors
    /// An unknown key or an impossible value, with the name of the key and its source.
    pub fn from_sources(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self> {
        let (sections, sources) = sources::merged(file, environment)?;
        let config = Self { sections, sources };
        config.validate()?;
        Ok(config)
    }

    /// Lists every key with its effective value and its source. Secrets are masked.
    pub(crate) fn effective(&self) -> Result<Vec<Effective>> {
        let mut effective = Vec::new();
        for (section, keys) in Table::try_from(&self.sections)? {
            for (key, value) in keys.try_into::<Table>()? {
                let key = format!("{section}.{key}");
                effective.push(Effective { source: self.sources.of(&key).to_owned(), key, value });
            }
        }
        Ok(effective)
    }

    /// Replaces the configured stores, bus and pseudonyms: everything in this SQLite file, the secret of the pseudonyms in this file.
    pub(crate) fn use_embedded_store(&mut self, sqlite: &Path, patient_key: &Path) {
        let Sections { store, sqlite: section, events, patient, .. } = &mut self.sections;
        "sqlite".clone_into(&mut store.kind);
        section.path = sqlite.display().to_string();
        "log".clone_into(&mut events.bus);
        *patient =
            schema::Patient { key_file: patient_key.display().to_string(), ..schema::Patient::default() };
    }
}

/// The value of a key that may be left empty; none if it is.
pub(crate) fn optional<T: for<'a> From<&'a str>>(text: &str) -> Option<T> {
    (!text.is_empty()).then(|| text.into())
}

/// The effective value of a key.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Effective {
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) source: String,
}

#[cfg(test)]
mod tests;
