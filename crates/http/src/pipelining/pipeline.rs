use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::body_waker::BodyWaker;

/// Ends of heads that the parser may have beyond the requests that are started. One less than the 16 at which the framework leaves what it has
/// read undecoded.
pub(super) const WAITING_MAX: usize = 15;

/// Bytes that are read while a head waits, at which no more are read. The last read may exceed it.
pub(super) const WAITING_MAX_BYTES: usize = 64 << 10;

/// How far one connection has come: what its parser has been given, which requests are started, and whether its client takes the answers.
#[derive(Default)]
pub(crate) struct Pipeline {
    /// Whether the last write, and the last flush, had to wait for the client.
    pub(super) write_blocked: Cell<bool>,
    pub(super) flush_blocked: Cell<bool>,
    /// Ends of heads that were delivered to the parser, less the requests that were started. An empty line in a body counts as well, so there
    /// may be fewer requests.
    waiting: Cell<usize>,
    /// Bytes that were delivered since a head waits.
    waiting_bytes: Cell<usize>,
    /// Whether the next head announces a body, and waits for its turn.
    body_next: Cell<bool>,
    /// Whether the next head is delivered in any case, since the parser is starved.
    is_forced: Cell<bool>,
    /// Requests that were started.
    started: Cell<usize>,
    /// Bodies of requests and answers that are still in use.
    in_use: Cell<usize>,
    /// The body that was last found empty by its handler.
    body: Cell<Option<Arc<BodyWaker>>>,
    /// The number of started requests when the parser was last seen to be starved.
    starved_at: Cell<Option<usize>>,
    /// The task that waits until it may read.
    reader: Cell<Option<Waker>>,
}

impl Pipeline {
    /// Counts a request that is started.
    pub(super) fn count_started(&self) {
        self.started.update(|started| started.wrapping_add(1));
        self.waiting.update(|waiting| waiting.saturating_sub(1));
        if self.waiting.get() == 0 {
            self.waiting_bytes.set(0);
        }
    }

    /// Resolves when the parser may be given more.
    ///
    /// What was counted in a body never becomes a request. So the count starts anew once the parser is starved: no request is in progress, or the
    /// one that is waits for its body, and the parser has been run since without starting any.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_write_blocked() {
            if !self.is_full() && (!self.body_next.get() || self.is_idle()) {
                return Poll::Ready(());
            }
            let starved_at = self.is_starved().then(|| self.started.get());
            if self.starved_at.replace(starved_at) == starved_at && starved_at.is_some() {
                self.starved_at.set(None);
                self.waiting.set(0);
                self.waiting_bytes.set(0);
                self.is_forced.set(self.body_next.get());
                return Poll::Ready(());
            }
            if starved_at.is_some() {
                // The parser runs after this; then the connection comes here again.
                context.waker().wake_by_ref();
            }
        }
        self.reader.set(Some(context.waker().clone()));
        Poll::Pending
    }

    /// Counts one more end of a head, if it may be delivered now.
    pub(super) fn admits_head(&self, has_body: bool) -> bool {
        let is_admitted = self.is_forced.take() || !has_body || self.is_idle();
        if is_admitted {
            self.waiting.update(|waiting| waiting.saturating_add(1));
        }
        self.body_next.set(!is_admitted);
        is_admitted
    }

    /// Counts delivered bytes, if they are behind a head that waits.
    pub(super) fn count_bytes(&self, bytes: usize) {
        if self.waiting.get() > 0 {
            self.waiting_bytes.update(|waiting| waiting.saturating_add(bytes));
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.get() >= WAITING_MAX || self.waiting_bytes.get() >= WAITING_MAX_BYTES
    }

    /// Whether every request that was delivered is answered.
    fn is_idle(&self) -> bool {
        self.waiting.get() == 0 && self.in_use.get() == 0
    }

    /// Whether nothing goes on unless the parser is given more.
    fn is_starved(&self) -> bool {
        let body = self.body.take();
        let waits_for_body = body.as_ref().is_some_and(|body| body.is_waiting());
        self.body.set(body);
        waits_for_body || self.in_use.get() == 0
    }

    /// The handler has found nothing more of its body.
    pub(super) fn body_waits(&self, body: &Arc<BodyWaker>) {
        self.body.set(Some(body.clone()));
        self.wake_reader();
    }

    fn is_write_blocked(&self) -> bool {
        self.write_blocked.get() || self.flush_blocked.get()
    }

    /// Remembers whether a write or flush had to wait.
    pub(super) fn set_blocked(&self, which: impl Fn(&Self) -> &Cell<bool>, is_blocked: bool) {
        if which(self).replace(is_blocked) && !is_blocked {
            self.wake_reader();
        }
    }

    pub(super) fn wake_reader(&self) {
        if !self.is_write_blocked()
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
    }
}

/// A body, of a request or an answer, that is still in use.
pub(crate) struct InUse(pub(super) Rc<Pipeline>);

impl InUse {
    pub(super) fn new(pipeline: &Rc<Pipeline>) -> Self {
        pipeline.in_use.update(|in_use| in_use.saturating_add(1));
        Self(pipeline.clone())
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.in_use.update(|in_use| in_use.saturating_sub(1));
        if self.0.in_use.get() == 0 {
            self.0.wake_reader();
        }
    }
}
