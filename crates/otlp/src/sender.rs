use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::collector::Collector;
use crate::queue::{LossCounter, LossReport};

/// The maximum number of spans in a batch.
const BATCH_MAX: usize = 512;

/// How long a batch is filled before it is sent.
const BATCH_DELAY: Duration = Duration::from_millis(500);

/// Sends batches from the queue to the collector.
pub(crate) struct Sender {
    pub(crate) waiting: mpsc::Receiver<SpanData>,
    pub(crate) lost: LossCounter,
    pub(crate) report: LossReport,
    pub(crate) collector: Collector,
    /// Whether the collector did not take the last batch.
    pub(crate) is_away: bool,
}

impl Sender {
    /// Sends batches until it is stopped, then the rest of the queue.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = &mut stop, if !self.waiting.is_closed() => self.waiting.close(),
                () = fill(&mut self.waiting, &mut batch) => {
                    if batch.is_empty() {
                        break;
                    }
                    self.deliver(std::mem::take(&mut batch)).await;
                }
            }
        }
        log_loss(self.report.at_once(&self.lost, Instant::now()));
    }

    /// Sends one batch. Logs once that the collector became unavailable, and once that it is back; while it is available, logs lost spans
    /// at most once per interval.
    async fn deliver(&mut self, spans: Vec<SpanData>) {
        let number = spans.len();
        let delivered = self.collector.deliver(spans).await;
        let was_away = std::mem::replace(&mut self.is_away, delivered.is_err());
        self.lost.add(*delivered.as_ref().unwrap_or(&number));
        match delivered {
            Ok(_) if was_away => {
                let lost = self.report.at_once(&self.lost, Instant::now());
                tracing::info!(lost, "the collector takes spans again");
            }
            Ok(_) => log_loss(self.report.when_due(&self.lost, Instant::now())),
            Err(reason) if !was_away => {
                tracing::warn!(reason, "the collector takes no spans; they are given up until it does");
            }
            Err(_) => {}
        }
    }
}

fn log_loss(lost: usize) {
    if lost > 0 {
        tracing::warn!(
            lost,
            "spans were given up: more came than the collector took in time, or it refused them"
        );
    }
}

/// Fills a batch: waits for the first span, then [`BATCH_DELAY`] for more. The batch stays empty once the queue is closed and drained.
/// Cancel safe: spans that were received stay in the batch.
async fn fill(waiting: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    if batch.is_empty() && waiting.recv_many(batch, BATCH_MAX).await == 0 {
        return;
    }
    let more = async { while waiting.recv_many(batch, BATCH_MAX.saturating_sub(batch.len())).await > 0 {} };
    // Whatever has come by then is sent.
    let _ = timeout(BATCH_DELAY, more).await;
}
