//! Where the registries that a dispense rests on are kept.

use std::collections::BTreeSet;

use anyhow::Result;
use esoz_kernel::SecretString;
use esoz_registries_remote::RegistryKind;

use super::{Config, refuse_all};

impl Config {
    /// The registries that are asked over HTTP; none if all are in our own store.
    pub(crate) fn remote_registries(&self) -> Result<BTreeSet<RegistryKind>> {
        let section = &self.sections.registries;
        match section.source.as_str() {
            "store" => Ok(BTreeSet::new()),
            "http" => {
                let url = Self::require("registries.url", &section.url, "`registries.source` is `http`");
                let kinds = self.registry_kinds();
                let refused = [url.err(), kinds.as_ref().err().map(|error| anyhow::anyhow!("{error}"))];
                refuse_all(refused.into_iter().flatten().map(|error| error.to_string()).collect())?;
                kinds
            }
            _ => Err(self.refuse("registries.source", "must be `store` or `http`")),
        }
    }

    fn registry_kinds(&self) -> Result<BTreeSet<RegistryKind>> {
        const KEY: &str = "registries.kinds";
        let named = &self.sections.registries.kinds;
        if named.is_empty() {
            return Ok(RegistryKind::ALL.into_iter().collect());
        }
        let kinds: Result<BTreeSet<RegistryKind>, _> = named.iter().map(|name| name.parse()).collect();
        let kinds = kinds.map_err(|unknown| self.refuse(KEY, &format!("has a name that {unknown}")))?;
        let devices = [RegistryKind::DeviceDefinitions, RegistryKind::ProgramDevices];
        if devices.iter().filter(|kind| kinds.contains(kind)).count() == 1 {
            let what = "must have both `device_definitions` and `program_devices` or none of them: each device of a program is one that is defined";
            return Err(self.refuse(KEY, what));
        }
        Ok(kinds)
    }

    /// What authenticates us to the registries that are asked over HTTP, if they want that.
    pub(crate) fn registries_token(&self) -> Result<Option<SecretString>> {
        let section = &self.sections.registries;
        if section.token.is_empty() && section.token_file.is_empty() {
            return Ok(None);
        }
        let why = "`registries.source` is `http`";
        self.secret("registries.token", &section.token, &section.token_file, why).map(Some)
    }
}
