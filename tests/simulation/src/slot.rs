//! Where one task leaves something for another. What is dropped before (its server was killed) is told as `None`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

struct Shared<T> {
    left: Option<T>,
    is_over: bool,
    waker: Option<Waker>,
}

fn lock<T>(shared: &Mutex<Shared<T>>) -> MutexGuard<'_, Shared<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who leaves something.
pub(crate) struct Promise<T>(Arc<Mutex<Shared<T>>>);

/// Who waits for it.
pub(crate) struct Awaited<T>(Arc<Mutex<Shared<T>>>);

pub(crate) fn slot<T>() -> (Promise<T>, Awaited<T>) {
    let shared = Arc::new(Mutex::new(Shared { left: None, is_over: false, waker: None }));
    (Promise(shared.clone()), Awaited(shared))
}

impl<T> Promise<T> {
    pub(crate) fn keep(self, value: T) {
        lock(&self.0).left = Some(value);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let mut shared = lock(&self.0);
        shared.is_over = true;
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
    }
}

impl<T> Future for Awaited<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut shared = lock(&self.0);
        if shared.is_over {
            Poll::Ready(shared.left.take())
        } else {
            shared.waker = Some(context.waker().clone());
            Poll::Pending
        }
    }
}
