use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::collector::Collector;
use crate::loss::LossReport;
use crate::queue::LossCounter;

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
}

impl Sender {
    /// Sends batches until it is stopped, then the rest of the queue.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut batch = Vec::new();
        let mut is_away = false;
        let mut is_stopping = false;
        loop {
            tokio::select! {
                biased;
                _ = &mut stop, if !is_stopping => {
                    is_stopping = true;
                    self.waiting.close();
                    continue;
                }
                () = fill(&mut self.waiting, &mut batch) => {}
            }
            if batch.is_empty() {
                break;
            }
            is_away = self.deliver(std::mem::take(&mut batch), is_away).await;
        }
        log_loss(self.report.at_once(&self.lost, Instant::now()));
    }

    /// Sends one batch and returns whether the collector is unavailable. Logs the change to either state once; while the collector is
    /// available, logs lost spans at most once per interval.
    async fn deliver(&mut self, spans: Vec<SpanData>, was_away: bool) -> bool {
        let number = spans.len();
        match self.collector.deliver(spans).await {
            Ok(refused) => {
                self.lost.add(refused);
                if was_away {
                    let lost = self.report.at_once(&self.lost, Instant::now());
                    tracing::info!(lost, "the collector takes spans again");
                } else {
                    log_loss(self.report.when_due(&self.lost, Instant::now()));
                }
                false
            }
            Err(reason) => {
                self.lost.add(number);
                if !was_away {
                    tracing::warn!(reason, "the collector takes no spans; they are given up until it does");
                }
                true
            }
        }
    }
}

fn log_loss(lost: u64) {
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
    let until = Instant::now() + BATCH_DELAY;
    while let Some(room) = BATCH_MAX.checked_sub(batch.len()).filter(|room| *room > 0) {
        tokio::select! {
            biased;
            came = waiting.recv_many(batch, room) => if came == 0 { return },
            () = sleep_until(until) => return,
        }
    }
}
