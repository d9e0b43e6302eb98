//! What the server counts and measures, for Prometheus.
//!
//! `definitions.rs` has every metric there is; nothing else is emitted. Each server has numbers of its own, also where several run in one
//! process.

mod collectors;
pub(crate) mod definitions;
mod endpoint;
mod relay;
mod requests;

use ::metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _, SharedString, Unit};
use anyhow::{Context as _, Result};
use esoz_kernel::Clock as _;
use esoz_kernel::system::SystemClock;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

pub(crate) use collectors::Sampled;
use definitions::{Kind, Metric};
pub(crate) use endpoint::Endpoint;
pub(crate) use relay::{Delivery, JobRuns, PURGE_KEYS, RELAY, Rounds};
pub(crate) use requests::Requests;

const METADATA: Metadata<'_> = Metadata::new("esoz", Level::INFO, None);

/// The numbers of one server, or nothing when nobody may ask for them.
pub(crate) struct Metrics {
    recorder: Option<PrometheusRecorder>,
}

impl Metrics {
    /// Counts and measures nothing.
    pub(crate) const fn off() -> Self {
        Self { recorder: None }
    }

    /// Counts and measures what the table has.
    pub(crate) fn on() -> Result<Self> {
        let mut builder = PrometheusBuilder::new();
        let table = definitions::all();
        for metric in &table {
            if let Kind::Histogram(buckets) = metric.kind {
                let only = Matcher::Full(metric.name.to_owned());
                builder = builder.set_buckets_for_metric(only, buckets).context(metric.name)?;
            }
        }
        let recorder = builder.build_recorder();
        for metric in table {
            let (name, help) = (metric.name.into(), metric.help.into());
            let unit: Option<Unit> = None;
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, unit, help),
                Kind::Gauge => recorder.describe_gauge(name, unit, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, unit, help),
            }
        }
        let metrics = Self { recorder: Some(recorder) };
        metrics.gauge(&definitions::BUILD_INFO, [env!("CARGO_PKG_VERSION")]).set(1.0);
        metrics.gauge_alone(&definitions::START_TIME).set(SystemClock.now().as_duration().as_secs_f64());
        Ok(metrics)
    }

    /// A counter of the table, for those values of its labels.
    pub(crate) fn counter<const N: usize, V: Into<SharedString>>(
        &self,
        metric: &Metric<N>,
        values: [V; N],
    ) -> Counter {
        let key = key(metric, values);
        self.recorder
            .as_ref()
            .map_or_else(Counter::noop, |recorder| recorder.register_counter(&key, &METADATA))
    }

    /// A gauge of the table without labels.
    pub(crate) fn gauge_alone(&self, metric: &Metric<0>) -> Gauge {
        self.gauge::<0, &str>(metric, [])
    }

    /// A histogram of the table without labels.
    pub(crate) fn histogram_alone(&self, metric: &Metric<0>) -> Histogram {
        self.histogram::<0, &str>(metric, [])
    }

    /// A gauge of the table, for those values of its labels.
    pub(crate) fn gauge<const N: usize, V: Into<SharedString>>(
        &self,
        metric: &Metric<N>,
        values: [V; N],
    ) -> Gauge {
        let key = key(metric, values);
        self.recorder.as_ref().map_or_else(Gauge::noop, |recorder| recorder.register_gauge(&key, &METADATA))
    }

    /// A histogram of the table, for those values of its labels.
    pub(crate) fn histogram<const N: usize, V: Into<SharedString>>(
        &self,
        metric: &Metric<N>,
        values: [V; N],
    ) -> Histogram {
        let key = key(metric, values);
        self.recorder
            .as_ref()
            .map_or_else(Histogram::noop, |recorder| recorder.register_histogram(&key, &METADATA))
    }

    /// All numbers, in the text format of Prometheus.
    pub(crate) fn text(&self) -> String {
        self.recorder.as_ref().map(|recorder| recorder.handle().render()).unwrap_or_default()
    }

    /// Sorts measured values into their buckets. Until then, or until somebody asks, each takes memory.
    fn tidy(&self) {
        if let Some(recorder) = &self.recorder {
            recorder.handle().run_upkeep();
        }
    }
}

fn key<const N: usize, V: Into<SharedString>>(metric: &Metric<N>, values: [V; N]) -> Key {
    let labels = metric.labels.iter().zip(values).map(|(label, value)| Label::new(label.name, value));
    Key::from_parts(metric.name, labels.collect::<Vec<_>>())
}
