use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc;

/// The maximum number of queued spans: some seconds of a busy server, a few megabytes.
pub(crate) const QUEUE_MAX: usize = 4_096;

/// Counts spans that were dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct LossCounter(Arc<AtomicU64>);

impl LossCounter {
    pub(crate) fn add(&self, spans: usize) {
        self.0.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns the count since the last call and resets it.
    pub(crate) fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
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
}
