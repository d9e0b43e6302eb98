//! The registry of one server's metrics.

use std::sync::Arc;

use ::metrics::{
    Counter, Gauge, Histogram, Key, Label, Level, Metadata, NoopRecorder, Recorder, SharedString,
};
use anyhow::{Context as _, Result};
use esoz_kernel::Clock;
use esoz_kernel::system::SystemClock;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::sync::Notify;

use super::definitions::{self, Kind, Metric};
use crate::telemetry::instrumented_ports::Instruments;

const METADATA: Metadata<'_> = Metadata::new("esoz", Level::INFO, None);

/// The values of a metric without labels.
pub(crate) const NO_LABELS: [&str; 0] = [];

/// The metrics of one server.
pub(crate) struct Metrics {
    recorder: Box<dyn Recorder + Send + Sync>,
    exporter: Option<PrometheusHandle>,
}

impl Metrics {
    /// Records nothing.
    pub(crate) fn off() -> Self {
        Self { recorder: Box::new(NoopRecorder), exporter: None }
    }

    /// Records the defined metrics.
    pub(crate) fn on() -> Result<Self> {
        let mut builder = PrometheusBuilder::new();
        let all = definitions::all();
        for metric in &all {
            if let Kind::Histogram(buckets) = metric.kind {
                let name = Matcher::Full(metric.name.to_owned());
                builder = builder.set_buckets_for_metric(name, buckets).context(metric.name)?;
            }
        }
        let recorder = builder.build_recorder();
        for metric in all {
            let (name, help) = (metric.name.into(), metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, None, help),
            }
        }
        let metrics = Self { exporter: Some(recorder.handle()), recorder: Box::new(recorder) };
        metrics.gauge(&definitions::BUILD_INFO, [env!("CARGO_PKG_VERSION")]).set(1.0);
        let started = SystemClock.now().as_duration().as_secs_f64();
        metrics.gauge(&definitions::START_TIME, NO_LABELS).set(started);
        Ok(metrics)
    }

    /// The counter with these label values.
    pub(crate) fn counter<const N: usize, V: Into<SharedString>>(
        &self,
        metric: &Metric<N>,
        values: [V; N],
    ) -> Counter {
        self.recorder.register_counter(&key(metric, values), &METADATA)
    }

    /// The same, exported as 0 from the start: a rate counts the first event only if there was a value before it.
    pub(crate) fn counter_from_zero<const N: usize, V: Into<SharedString>>(
        &self,
        metric: &Metric<N>,
        values: [V; N],
    ) -> Counter {
        let counter = self.counter(metric, values);
        counter.absolute(0);
        counter
    }

    /// The gauge with these label values.
    pub(crate) fn gauge<const N: usize>(&self, metric: &Metric<N>, values: [&'static str; N]) -> Gauge {
        self.recorder.register_gauge(&key(metric, values), &METADATA)
    }

    /// The histogram with these label values.
    pub(crate) fn histogram<const N: usize, V: Into<SharedString>>(
        &self,
        metric: &Metric<N>,
        values: [V; N],
    ) -> Histogram {
        self.recorder.register_histogram(&key(metric, values), &METADATA)
    }

    /// What instrumented ports record to.
    pub(crate) fn instruments(self: &Arc<Self>, clock: &Arc<dyn Clock>) -> Arc<Instruments> {
        let metrics = self.clone();
        Arc::new(Instruments {
            durations: Box::new(move |labels| {
                metrics.histogram(&definitions::STORE_OPERATION_DURATION, labels)
            }),
            delivery: self.histogram(&definitions::RELAY_DELIVERY, NO_LABELS),
            clock: clock.clone(),
            dispense_committed: Arc::new(Notify::new()),
        })
    }

    /// Renders all metrics in the Prometheus text format.
    pub(crate) fn text(&self) -> String {
        self.exporter.as_ref().map(PrometheusHandle::render).unwrap_or_default()
    }

    /// Moves recorded values into the buckets of their histograms. Until then, or until the next scrape, each takes memory.
    pub(super) fn run_upkeep(&self) {
        if let Some(exporter) = &self.exporter {
            exporter.run_upkeep();
        }
    }
}

fn key<const N: usize, V: Into<SharedString>>(metric: &Metric<N>, values: [V; N]) -> Key {
    let labels = metric.labels.iter().zip(values).map(|(label, value)| Label::new(label.name, value));
    Key::from_parts(metric.name, labels.collect::<Vec<_>>())
}
