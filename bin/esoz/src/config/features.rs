//! Refuses what this build lacks.

use anyhow::Result;

use super::Config;
use super::typed::StoreKind;
use crate::features::Feature;

impl StoreKind {
    const fn feature(self) -> Feature {
        match self {
            Self::Sqlite => Feature::Sqlite,
            Self::Servers => Feature::Servers,
        }
    }
}

impl Config {
    /// Refuses stores that this build lacks.
    pub(super) fn require_stores(&self) -> Result<()> {
        let kind = self.store_kind()?;
        if kind.feature().is_built() { Ok(()) } else { Err(self.lacks_store(kind)) }
    }

    /// The refusal of stores that this build lacks.
    pub(crate) fn lacks_store(&self, kind: StoreKind) -> anyhow::Error {
        self.lacks("store.kind", &format!("`{}`", self.sections.store.kind), kind.feature())
    }

    /// Refuses Kafka in builds that lack it. With `store.kind` = `servers` it is a default, and the stores are what is refused.
    pub(super) fn require_bus(&self) -> Result<()> {
        let is_wanted = self.sections.events.bus == "kafka";
        if is_wanted && !Feature::Servers.is_built() { Err(self.lacks_kafka()) } else { Ok(()) }
    }

    /// The refusal of Kafka in builds that lack it.
    pub(crate) fn lacks_kafka(&self) -> anyhow::Error {
        self.lacks("events.bus", "`kafka`", Feature::Servers)
    }

    /// Refuses a collector of spans in builds that lack the export.
    pub(crate) fn require_span_export(&self) -> Result<()> {
        let is_wanted = !self.sections.tracing.endpoint.is_empty();
        if is_wanted && !Feature::Otlp.is_built() {
            return Err(self.lacks("tracing.endpoint", "set", Feature::Otlp));
        }
        Ok(())
    }

    fn lacks(&self, key: &str, value: &str, feature: Feature) -> anyhow::Error {
        self.refuse(key, &format!("is {value}, which {}", feature.needed()))
    }
}
