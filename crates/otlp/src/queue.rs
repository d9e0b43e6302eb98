use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The maximum number of queued spans: some seconds of a busy server, a few megabytes.
pub(crate) const QUEUE_MAX: usize = 4_096;

/// Counts spans that were dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct LossCounter(Arc<AtomicUsize>);

impl LossCounter {
    pub(crate) fn add(&self, spans: usize) {
        self.0.fetch_add(spans, Ordering::Relaxed);
    }

    /// Returns the count since the last call and resets it.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// The minimum time between two reports of lost spans.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// Decides when lost spans are reported; holds the time of the last report.
#[derive(Debug, Default)]
pub(crate) struct LossReport(Option<Instant>);

impl LossReport {
    /// Returns how many lost spans to report now: 0 within the interval, where they stay counted.
    pub(crate) fn when_due(&mut self, lost: &LossCounter, now: Instant) -> usize {
        let is_early = self.0.is_some_and(|last| now.duration_since(last) < REPORT_INTERVAL);
        if is_early { 0 } else { self.at_once(lost, now) }
    }

    /// Returns how many lost spans were not reported yet, whatever the interval.
    pub(crate) fn at_once(&mut self, lost: &LossCounter, now: Instant) -> usize {
        let lost = lost.take();
        if lost > 0 {
            self.0 = Some(now);
        }
        lost
    }
}

/// Queues ended spans without blocking the thread that ends them; a full queue drops the span.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) spans: mpsc::Sender<SpanData>,
    pub(crate) lost: LossCounter,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.spans.try_send(span).is_err() {
            self.lost.add(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        // `Export::stop` delivers what is queued.
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let (spans, mut waiting) = mpsc::channel(2);
        let lost = LossCounter::default();
        let queue = Queue { spans, lost: lost.clone() };
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        for name in ["one", "two", "three"] {
            provider.tracer("test").start(name).end();
        }
        assert_eq!((lost.take(), lost.take()), (1, 0));
        assert_eq!(waiting.try_recv().unwrap().name, "one");
        assert_eq!(waiting.try_recv().unwrap().name, "two");
    }

    #[test]
    fn what_is_not_kept_does_not_wait() {
        let (spans, mut waiting) = mpsc::channel(2);
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOff)
            .with_span_processor(Queue { spans, lost: LossCounter::default() })
            .build();
        provider.tracer("test").start("one").end();
        assert!(waiting.try_recv().is_err());
    }

    #[test]
    fn the_first_are_told_of_at_once_and_the_others_a_minute_later() {
        let (mut report, lost) = (LossReport::default(), LossCounter::default());
        let begin = Instant::now();
        let mut at = |seconds: f64, spans: usize| {
            lost.add(spans);
            report.when_due(&lost, begin + Duration::from_secs_f64(seconds))
        };
        assert_eq!(at(0.0, 0), 0);
        assert_eq!(at(10.0, 3), 3, "nothing was told of before");
        assert_eq!(at(11.0, 2), 0);
        assert_eq!(at(69.9, 4), 0);
        assert_eq!(at(70.0, 0), 6);
        assert_eq!(at(71.0, 1), 0);
        assert_eq!(report.at_once(&lost, begin + Duration::from_secs(72)), 1);
        assert_eq!(report.at_once(&lost, begin + Duration::from_secs(73)), 0);
    }
}
