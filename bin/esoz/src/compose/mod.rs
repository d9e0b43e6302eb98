//! Builds the adapter behind each port, by the configuration.

pub(crate) mod bus;
pub(crate) mod caches;
pub(crate) mod jobs;
pub(crate) mod stores;
mod tokens;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_device_dispense::{Access, PatientAccess, PatientPseudonyms, SameAccess};
use esoz_events::EventPublisher;
use esoz_http::{MonotonicClock, ProcessClock};
use esoz_kernel::system::{RandomIds, SystemClock};
use esoz_kernel::{Clock, IdGenerator};
use esoz_pseudonym::{Aes128CbcPseudonyms, HmacSha256Pseudonyms};

use crate::config::{Config, Pseudonym};
use stores::Stores;

/// The adapters that a server is composed of. A test replaces those that it controls.
pub struct Parts {
    /// Every store port.
    pub stores: Stores,
    /// Decides whose dispenses of a patient a caller may list.
    pub patient_access: Arc<dyn PatientAccess>,
    /// Publishes events to the bus.
    pub publisher: Arc<dyn EventPublisher>,
    /// Wall clock: timestamps of changes and events, expiry of tokens.
    pub clock: Arc<dyn Clock>,
    /// Monotonic clock of the rate limits.
    pub monotonic_clock: Arc<dyn MonotonicClock>,
    /// Generates ids.
    pub ids: Arc<dyn IdGenerator>,
}

impl Parts {
    /// Builds the configured stores and bus, with the system clock and random ids.
    ///
    /// # Errors
    /// When the configuration does not fit what it names, e.g. a store whose schema is too old. A server that cannot be reached
    /// is no error.
    pub async fn configured(config: &Config) -> Result<Self> {
        let mut stores = Stores::open(config).await?;
        stores.access_tokens = tokens::access_tokens(config, &stores)?;
        let publisher = bus::publisher(config, &stores)?;
        Ok(Self {
            stores,
            patient_access: Arc::new(SameAccess(patient_list(config)?)),
            publisher,
            clock: Arc::new(SystemClock),
            monotonic_clock: Arc::new(ProcessClock::default()),
            ids: Arc::new(RandomIds),
        })
    }
}

/// The configured access to the dispenses of a patient. Warns of the one that spans legal entities.
fn patient_list(config: &Config) -> Result<Access> {
    let access = config.patient_list()?;
    if access == Access::All {
        tracing::warn!(
            "device_dispense.patient_list is \"all\": whoever may read dispenses can list those of every patient at every legal entity; \
             set it to \"own\" unless access to patients is controlled in front of this server"
        );
    }
    Ok(access)
}

/// Builds the configured scheme of patient pseudonyms.
pub(crate) fn pseudonyms(config: &Config) -> Result<Arc<dyn PatientPseudonyms>> {
    Ok(match config.pseudonym()? {
        Pseudonym::HmacSha256 { key } => {
            Arc::new(HmacSha256Pseudonyms::try_new(key.expose()).context("`patient.key`")?)
        }
        Pseudonym::Aes128Cbc { key, iv } => {
            let scheme = Aes128CbcPseudonyms::try_new(key.expose(), iv.expose());
            Arc::new(scheme.context("`patient.key` and `patient.iv`")?)
        }
    })
}
