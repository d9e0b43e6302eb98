use std::time::Duration;

use esoz_https::SettingsError;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::collector::Collector;
use crate::queue::{LossCounter, LossReport, QUEUE_MAX, Queue};
use crate::sampler::sampler;
use crate::sender::Sender;
use crate::settings::OtlpSettings;

/// Exports spans to a collector until it is stopped.
#[derive(Debug)]
pub struct Export {
    provider: SdkTracerProvider,
    sender: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Export {
    /// Starts the export. No connection is made before the first span. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting that cannot be used.
    pub fn start(settings: &OtlpSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let attributes = [
            KeyValue::new("service.name", settings.service_name.clone()),
            KeyValue::new("service.version", settings.service_version.clone()),
        ];
        // `OTEL_RESOURCE_ATTRIBUTES`, under our own two.
        let of_environment = Box::new(EnvResourceDetector::new());
        let resource =
            Resource::builder_empty().with_detector(of_environment).with_attributes(attributes).build();
        let collector = Collector::new(settings, &resource)?;
        let (spans, waiting) = mpsc::channel(QUEUE_MAX);
        let lost = LossCounter::default();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler(settings.sample_ratio))
            .with_span_processor(Queue { spans, lost: lost.clone() })
            .build();
        let (stop, stop_requested) = oneshot::channel();
        let report = LossReport::default();
        let sender = Sender { waiting, lost, report, collector, is_away: false };
        let sender = tokio::spawn(sender.run(stop_requested));
        Ok(Self { provider, sender, stop })
    }

    /// The tracer that creates spans for this export.
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer("esoz")
    }

    /// Delivers the queued spans for at most `within`, then stops.
    pub async fn stop(mut self, within: Duration) {
        // The sender may have ended already.
        let _ = self.stop.send(());
        if tokio::time::timeout(within, &mut self.sender).await.is_err() {
            self.sender.abort();
            tracing::warn!("the collector did not take the last spans in time; they are given up");
        }
    }
}
