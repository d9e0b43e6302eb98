//! The adapters that a server is composed of.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_device_dispense::{Access, PatientAccess, StaticPatientAccess};
use esoz_events::EventPublisher;
use esoz_http::{Inspector, MonotonicClock, ProcessClock, Samples};
use esoz_kernel::system::{KyivCalendar, RandomIds, SystemClock};
use esoz_kernel::{Calendar, Clock, IdGenerator};
use esoz_signed_content::{MediaStorage, SignatureVerifier};

use super::database::is_unavailable;
use super::patient_key::PatientKey;
use super::stores::Stores;
use super::trust::TrustReload;
use super::{bus, documents, registries, tokens};
use crate::config::Config;

/// The adapters that a server is composed of. A test replaces those that it controls.
pub struct Parts {
    /// Every store port.
    pub stores: Stores,
    /// Decides whose dispenses of a patient a caller may list.
    pub patient_access: Arc<dyn PatientAccess>,
    /// Publishes events to the bus.
    pub publisher: Arc<dyn EventPublisher>,
    /// Verifies signed documents.
    pub verifier: Arc<dyn SignatureVerifier>,
    /// Keeps signed documents.
    pub media: Arc<dyn MediaStorage>,
    /// The day in Ukraine.
    pub calendar: Arc<dyn Calendar>,
    /// Wall clock: timestamps of changes and events, expiry of tokens.
    pub clock: Arc<dyn Clock>,
    /// Monotonic clock of the rate limits.
    pub monotonic_clock: Arc<dyn MonotonicClock>,
    /// Generates ids.
    pub ids: Arc<dyn IdGenerator>,
    /// What the request inspector offers to try.
    pub samples: Option<Samples>,
}

impl Parts {
    /// Builds the configured stores and bus, with the system clock and random ids.
    ///
    /// # Errors
    /// When the configuration does not fit what it names, e.g. a store whose schema is too old, or whose pseudonyms are made with another key. A server
    /// that cannot be reached is no error.
    pub async fn configured(config: &Config) -> Result<Self> {
        Ok(Self::with_reload(config).await?.0)
    }

    /// Builds them, and what reloads the files of the verifier, if it has any.
    pub(crate) async fn with_reload(config: &Config) -> Result<(Self, Option<TrustReload>)> {
        let mut stores = Stores::open_or_create(config).await?;
        if let Some(issuer) = tokens::issuer(config)? {
            stores.access_tokens = issuer.access_tokens(stores.blocks.clone());
            stores.token_issuer = Some(Arc::new(issuer));
        }
        match PatientKey::of(config, &stores)?.require().await {
            Err(error) if is_unavailable(&error) => tracing::warn!(
                error = format!("{error:#}"),
                "whether the patient key is that of the store cannot be told until the store is reached; a server whose key is another one stops then"
            ),
            required => required?,
        }
        if let Some(service) = registries::service(config)? {
            stores.use_registries(service);
        }
        let publisher = bus::publisher(config, &stores)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (verifier, reload) = documents::verifier(config, &clock)?;
        let parts = Self {
            verifier,
            media: documents::media(config)?,
            calendar: Arc::new(KyivCalendar::new().context("the time zone of Ukraine")?),
            stores,
            patient_access: Arc::new(StaticPatientAccess(patient_list(config)?)),
            publisher,
            clock,
            monotonic_clock: Arc::new(ProcessClock::default()),
            ids: Arc::new(RandomIds),
            samples: None,
        };
        Ok((parts, reload))
    }

    /// The request inspector, if it is configured.
    pub(crate) fn inspector(&self, config: &Config) -> Option<Arc<Inspector>> {
        let (http, events) = (&config.sections.http, &config.sections.events);
        let log = events.store.then(|| self.stores.event_log.clone());
        http.inspector.then(|| Arc::new(Inspector::new(self.clock.clone(), log, self.samples.clone())))
    }
}

/// The configured access to the dispenses of a patient. Warns of the one that spans legal entities.
fn patient_list(config: &Config) -> Result<Access> {
    let access = config.patient_list()?;
    if access == Access::All {
        tracing::warn!(
            "device_dispense.patient_list is \"all\": every caller with the scope device_dispense:read can list the dispenses of every patient at every legal entity; \
             set it to \"own\" unless access to patients is controlled in front of this server"
        );
    }
    Ok(access)
}
