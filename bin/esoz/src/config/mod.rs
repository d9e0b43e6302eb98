//! The configuration: a TOML file, environment variables over it, defaults under it.
//!
//! `schema.rs` has every key with its default, `sources.rs` lays the sources over one another and refuses what does not
//! belong, `validate.rs` refuses what cannot be. Every refusal names the key and where its value came from.

mod schema;
mod sources;
mod validate;

use std::path::Path;

use anyhow::Result;

pub(crate) use schema::Sections;
pub(crate) use validate::{Bus, Pseudonym, StoreKind, TokenSource};

/// A checked configuration. Its `Debug` hides secrets.
#[derive(Debug)]
pub struct Config {
    pub(crate) sections: Sections,
    sources: sources::Sources,
}

impl Config {
    /// Reads and checks the configuration from the file, if one is given, and the environment.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self> {
        Self::from_sources(file, std::env::vars_os())
    }

    /// The same from a given environment.
    ///
    /// # Errors
    /// Unknown keys and impossible values, each with the name of the key and of its source.
    pub fn from_sources(
        file: Option<&Path>,
        environment: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    ) -> Result<Self> {
        let (sections, sources) = sources::merged(file, environment)?;
        let config = Self { sections, sources };
        config.check()?;
        Ok(config)
    }

    /// Every key, with its value as it would stand in the file and where that came from. Secrets are masked.
    pub(crate) fn effective(&self) -> Result<Vec<Effective>> {
        let masked = toml::Table::try_from(self.sections.masked())?;
        let keys = masked.into_iter().flat_map(|(section, keys)| match keys {
            toml::Value::Table(keys) => {
                keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)).collect()
            }
            _ => Vec::new(),
        });
        Ok(keys
            .map(|(key, value)| Effective { source: self.sources.of(&key).to_string(), key, value })
            .collect())
    }

    /// The same with everything in that SQLite file and the secret of the pseudonyms in that file, whatever was configured.
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

/// One key of the configuration as it is in force.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Effective {
    pub(crate) key: String,
    pub(crate) value: toml::Value,
    pub(crate) source: String,
}

#[cfg(test)]
mod tests;
