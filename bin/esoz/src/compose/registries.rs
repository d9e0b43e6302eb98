//! Which registries are asked over HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use esoz_https::{RemoteServer, SettingsError};
use esoz_kernel::{SecretString, StoreError};
use esoz_legal_entity::LegalEntities;
use esoz_registries::RegistryOverrides;
use esoz_registries_remote::{RegistryKind, RemoteRegistries};

use crate::config::{Config, number, optional};

/// The registries that are asked over HTTP.
pub(crate) struct RegistryService {
    remote: Arc<RemoteRegistries>,
    kinds: BTreeSet<RegistryKind>,
}

impl RegistryService {
    /// Asks the first of the registries about something that it does not have: they are at one address.
    ///
    /// # Errors
    /// When lookups there would fail.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        match self.kinds.first() {
            Some(kind) => self.remote.ping(*kind).await,
            None => Ok(()),
        }
    }

    /// Asks each of the registries so.
    ///
    /// # Errors
    /// Of the first whose lookups would fail.
    pub(crate) async fn ping_all(&self) -> Result<(), StoreError> {
        for kind in &self.kinds {
            self.remote.ping(*kind).await?;
        }
        Ok(())
    }

    /// Legal entities, if they are looked up there.
    pub(super) fn legal_entities(&self) -> Option<Arc<dyn LegalEntities>> {
        let is_remote = self.kinds.contains(&RegistryKind::LegalEntities);
        is_remote.then(|| -> Arc<dyn LegalEntities> { self.remote.clone() })
    }

    /// Puts the others in the place of the stores.
    pub(super) fn replace(&self, overrides: &mut RegistryOverrides) {
        for kind in &self.kinds {
            set(overrides, *kind, &self.remote);
        }
    }
}

fn set(overrides: &mut RegistryOverrides, kind: RegistryKind, remote: &Arc<RemoteRegistries>) {
    match kind {
        RegistryKind::LegalEntities => overrides.legal_entity_names = Some(remote.clone()),
        RegistryKind::Divisions => overrides.locations = Some(remote.clone()),
        RegistryKind::Persons => overrides.persons = Some(remote.clone()),
        RegistryKind::Parties => overrides.parties = Some(remote.clone()),
        RegistryKind::Employees => overrides.employees = Some(remote.clone()),
        RegistryKind::MedicalPrograms => overrides.medical_programs = Some(remote.clone()),
        RegistryKind::DeviceDefinitions => overrides.device_definitions = Some(remote.clone()),
        RegistryKind::ProgramDevices => overrides.program_devices = Some(remote.clone()),
    }
}

/// Builds the client of the registries that are asked over HTTP; none if all are in our own store. Opens no connection yet.
pub(crate) fn service(config: &Config) -> Result<Option<RegistryService>> {
    let kinds = config.remote_registries()?;
    if kinds.is_empty() {
        return Ok(None);
    }
    let (server, token) = settings(config)?;
    let (pseudonyms, digests) = (config.pseudonyms()?, config.drfo_digests()?);
    let remote = RemoteRegistries::try_new(&server, token.as_ref(), pseudonyms, digests);
    let remote = Arc::new(remote.map_err(|error| refused(config, &error))?);
    Ok(Some(RegistryService { remote, kinds }))
}

/// Refuses settings that the client could not use. Needs no pseudonyms.
pub(super) fn check(config: &Config) -> Result<()> {
    if config.remote_registries()?.is_empty() {
        return Ok(());
    }
    let (server, token) = settings(config)?;
    RemoteRegistries::check(&server, token.as_ref()).map_err(|error| refused(config, &error))
}

fn settings(config: &Config) -> Result<(RemoteServer, Option<SecretString>)> {
    let section = &config.sections.registries;
    let server = RemoteServer {
        timeout_ms: section.timeout_ms,
        max_answer_bytes: number(section.max_answer_bytes)?,
        max_concurrent_requests: number(section.max_concurrent_requests)?,
        root_certificate_file: optional(&section.root_certificate_file),
        proxies: config.proxies.clone(),
        ..RemoteRegistries::settings(&section.url)
    };
    Ok((server, config.registries_token()?))
}

fn refused(config: &Config, error: &SettingsError) -> anyhow::Error {
    let is_in_file = error.setting() == "token" && !config.sections.registries.token_file.is_empty();
    let key = if is_in_file { "token_file" } else { error.setting() };
    config.refuse(&format!("registries.{key}"), error.reason())
}
