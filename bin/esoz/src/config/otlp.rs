//! Where spans are exported to.

use anyhow::Result;
use esoz_otlp::{OtlpSettings, SettingsError};

use super::{Config, optional};

impl Config {
    /// The settings of the OTLP exporter, if spans are exported.
    pub(crate) fn otlp(&self) -> Result<Option<OtlpSettings>> {
        let tracing = &self.sections.tracing;
        if tracing.endpoint.is_empty() {
            return Ok(None);
        }
        // Validation refuses a number out of range; here it only must fit.
        let sampled = u32::try_from(tracing.sample_permille.min(1_000))?;
        let settings = OtlpSettings {
            endpoint: tracing.endpoint.clone(),
            timeout_ms: tracing.timeout_ms,
            sample_ratio: f64::from(sampled) / 1_000.0,
            service_name: tracing.service_name.clone(),
            service_version: env!("CARGO_PKG_VERSION").to_owned(),
            root_certificate_file: optional(&tracing.root_certificate_file),
            proxies: self.proxies.clone(),
        };
        let refused =
            |error: SettingsError| self.refuse(&format!("tracing.{}", error.setting()), error.reason());
        settings.check().map_err(refused)?;
        Ok(Some(settings))
    }
}
