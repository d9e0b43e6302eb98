//! Whether the stored pseudonyms are made with the configured scheme and key (ADR 0038).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Error, Result};
use esoz_device_dispense::{PseudonymFingerprint, PseudonymFingerprints};

use super::database::is_unavailable;
use super::open::store_backend;
use super::stores::{Stores, store_names};
use crate::config::Config;

/// How a key that does not fit is corrected.
pub(crate) const REMEDY: &str = "give back the scheme and key that the stored pseudonyms are made with; only if all of them were made anew with these: \
    stop the servers, then run `esoz migrate --accept-patient-key`";

/// The pause between two attempts to reach the store.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// The stored pseudonyms are made with another scheme or key.
#[derive(Debug)]
pub(crate) struct OtherKey(String);

impl fmt::Display for OtherKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for OtherKey {}

/// The configured scheme and key of pseudonyms, to be compared with those of the store.
pub(crate) struct PatientKey {
    fingerprints: Arc<dyn PseudonymFingerprints>,
    fingerprint: PseudonymFingerprint,
    /// The name of the store of dispenses.
    store: &'static str,
    /// What is wrong if they differ.
    problem: String,
}

impl PatientKey {
    /// Reads the configured key, to be compared with that of these stores.
    pub(crate) fn of(config: &Config, stores: &Stores) -> Result<Self> {
        Self::new(config, stores.pseudonym_fingerprints.clone())
    }

    fn new(config: &Config, fingerprints: Arc<dyn PseudonymFingerprints>) -> Result<Self> {
        let patient = &config.sections.patient;
        let key = if patient.key_file.is_empty() { "patient.key" } else { "patient.key_file" };
        let what = "with `patient.pseudonym` gives other pseudonyms than those in the store, so that no patient and no dispense of a patient would be found";
        let (fingerprint, problem) = (config.pseudonym_fingerprint()?, config.problem(key, what));
        let (_, store) = store_names(config)?;
        Ok(Self { fingerprints, fingerprint, store, problem })
    }

    /// Reads the configured key. Opens no store but that of dispenses.
    pub(crate) async fn of_configured(config: &Config) -> Result<Self> {
        Self::new(config, store_backend(config)?.fingerprints(config).await?)
    }

    /// Refuses another key than the store's; the first one becomes the store's.
    ///
    /// # Errors
    /// When it is another one, or the store fails: [`is_unavailable`].
    pub(crate) async fn require(&self) -> Result<()> {
        let recorded = self.fingerprints.record_first(self.fingerprint).await;
        self.require_same(recorded.context(self.store)?)
    }

    /// Refuses another key than the store's as [`PatientKey::require`] does, but records none.
    pub(crate) async fn require_unrecorded(&self) -> Result<()> {
        let recorded = self.fingerprints.recorded().await.context(self.store)?;
        recorded.map_or(Ok(()), |recorded| self.require_same(recorded))
    }

    fn require_same(&self, recorded: PseudonymFingerprint) -> Result<()> {
        self.compare(recorded).map_err(|problem| Error::msg(format!("{problem}; {REMEDY}")))
    }

    /// Waits until the store can be reached, then refuses as [`PatientKey::require`] does.
    pub(crate) async fn require_when_reached(&self) -> Result<()> {
        loop {
            match self.require().await {
                Err(error) if is_unavailable(&error) => tokio::time::sleep(RETRY_INTERVAL).await,
                required => return required,
            }
        }
    }

    /// Compares without recording anything. Returns whether a key is recorded.
    ///
    /// # Errors
    /// [`OtherKey`], or the store fails.
    pub(crate) async fn check(&self) -> Result<bool> {
        match self.fingerprints.recorded().await? {
            None => Ok(false),
            Some(recorded) => Ok(self.compare(recorded).map(|()| true)?),
        }
    }

    /// Makes it the key of the store, whichever was.
    pub(crate) async fn accept(&self) -> Result<()> {
        Ok(self.fingerprints.replace(self.fingerprint).await?)
    }

    fn compare(&self, recorded: PseudonymFingerprint) -> Result<(), OtherKey> {
        if recorded == self.fingerprint { Ok(()) } else { Err(OtherKey(self.problem.clone())) }
    }
}
