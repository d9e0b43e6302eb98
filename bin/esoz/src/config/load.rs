//! A valid configuration, and how it is made from its sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use esoz_https::Proxies;
use toml::{Table, Value};

use super::problems::{NEXT, refuse_all};
use super::schema::{self, Sections};
use super::sources::{self, Sources};
use super::variables;

/// A valid configuration. Its `Debug` masks secrets.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) sections: Sections,
    pub(super) sources: Sources,
    pub(super) file: Option<PathBuf>,
    /// The proxies on the way to servers elsewhere: `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    pub(crate) proxies: Proxies,
    /// Variables whose names begin as ours do, and that set no key.
    pub(super) ignored_variables: Vec<String>,
    /// Whether all data are invented, as those of the demo: no key sets it. Then the log may name a patient.
    pub(crate) has_invented_data: bool,
}

impl Config {
    /// Loads the configuration from the environment of the process and the file: the given one, or that which `ESOZ_CONFIG` names.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self> {
        let named = std::env::var_os(variables::CONFIG_FILE).filter(|name| !name.is_empty());
        let named = named.map(PathBuf::from);
        Self::from_sources(file.or(named.as_deref()), std::env::vars_os())
    }

    /// Loads the configuration from the file, if one is given, and these environment variables.
    ///
    /// # Errors
    /// Every unknown key and impossible value, with the name of the key and its source.
    pub fn from_sources(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self> {
        let sources::Merged { sections, sources, proxies, ignored_variables, mut problems, refused_keys } =
            sources::merged(file, environment)?;
        let file = file.map(Path::to_owned);
        let config = Self { sections, sources, file, proxies, ignored_variables, has_invented_data: false };
        if let Some(refused_keys) = refused_keys {
            // A key whose own value was refused is at its default, which says nothing.
            let is_new =
                |problem: &String| !refused_keys.iter().any(|key| problem.starts_with(&format!("`{key}` ")));
            problems.extend(config.value_problems().into_iter().filter(is_new));
        }
        refuse_all(problems).map_err(|error| anyhow!("the configuration cannot be used:{NEXT}{error}"))?;
        Ok(config)
    }

    /// Loads the configuration anew, from the same sources.
    pub(crate) fn reload(&self) -> Result<Self> {
        Self::from_sources(self.file.as_deref(), std::env::vars_os())
    }

    /// Warns of environment variables that look like ours and are none, and of what is not used of others.
    pub(crate) fn warn_of_ignored_variables(&self) {
        if self.proxies.http.expose().contains('@') {
            tracing::warn!(
                "the user and the password in HTTP_PROXY are not sent; to a server of an https URL those in HTTPS_PROXY are"
            );
        }
        if !self.ignored_variables.is_empty() {
            let variables = self.ignored_variables.join(", ");
            tracing::warn!(
                variables,
                "environment variables that begin with ESOZ_ and set no key are ignored; a key is set by ESOZ_<SECTION>__<KEY>"
            );
        }
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

    /// Replaces the configured verifier and media storage: signatures below this authority are taken, and signed documents kept in this folder.
    pub(crate) fn verify_here(&mut self, authority: &Path, folder: &Path) {
        self.sections.signature = schema::Signature {
            verifier: "cms".to_owned(),
            authorities_file: authority.display().to_string(),
            ..schema::Signature::default()
        };
        self.sections.media =
            schema::Media { folder: folder.display().to_string(), ..schema::Media::default() };
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

/// The effective value of a key.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Effective {
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) source: String,
}
