use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

/// Knows whether the body of a request was found empty and has got nothing since.
#[derive(Default)]
pub(super) struct BodyWaker {
    is_waiting: AtomicBool,
    handler: AtomicWaker,
}

impl BodyWaker {
    pub(super) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// Wakes this task when there is something.
    pub(super) fn register(&self, waker: &Waker) {
        self.handler.register(waker);
    }

    pub(super) fn set_waiting(&self, is_waiting: bool) {
        self.is_waiting.store(is_waiting, Ordering::Relaxed);
    }
}

impl Wake for BodyWaker {
    fn wake(self: Arc<Self>) {
        self.set_waiting(false);
        self.handler.wake();
    }
}
