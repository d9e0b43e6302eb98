//! What the decorators of the ports record to.

use std::sync::Arc;

use ::metrics::Histogram;
use esoz_kernel::Clock;
use tokio::sync::Notify;

/// The target of the spans. It lacks the prefix of our modules, so that `log.level` does not enable them.
pub(crate) const SPANS: &str = "stores";

/// What the decorators of a server record to.
pub(crate) struct Instruments {
    /// The histogram of call durations in seconds, by store, port, operation and outcome.
    pub(crate) durations: Box<dyn Fn([&'static str; 4]) -> Histogram + Send + Sync>,
    /// The delivery time of events in seconds, from the change to the bus.
    pub(crate) delivery: Histogram,
    pub(crate) clock: Arc<dyn Clock>,
    /// Notified after a commit of a dispense, so that the relay publishes its event before the next poll.
    pub(crate) dispense_committed: Arc<Notify>,
}
