//! A lock for each device request: creates for one request run one after another within this process, so that their transactions do not conflict
//! (docs/adr/0035).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use esoz_kernel::DeviceRequestId;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::{Instant, timeout_at},
};

/// The locks of the requests that a dispense is being created for.
#[derive(Default)]
pub(crate) struct RequestLocks(Mutex<HashMap<DeviceRequestId, Arc<AsyncMutex<()>>>>);

/// Holds the lock of a request until it is dropped.
pub(super) struct RequestLock {
    _guard: OwnedMutexGuard<()>,
    /// Whether another create held the lock before.
    pub(super) has_waited: bool,
}

impl RequestLocks {
    /// Locks a request, in the order of arrival. `None` when the deadline passed first.
    pub(super) async fn lock(&self, request: DeviceRequestId, deadline: Instant) -> Option<RequestLock> {
        let lock = self.of(request);
        if let Ok(guard) = lock.clone().try_lock_owned() {
            return Some(RequestLock { _guard: guard, has_waited: false });
        }
        let guard = timeout_at(deadline, lock.lock_owned()).await.ok()?;
        Some(RequestLock { _guard: guard, has_waited: true })
    }

    fn of(&self, request: DeviceRequestId) -> Arc<AsyncMutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(request).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use esoz_testkit::builders::fresh;
    use futures_util::FutureExt as _;

    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[tokio::test]
    async fn a_request_is_locked_in_the_order_of_arrival_and_another_one_at_once() {
        let (locks, request, another) =
            (RequestLocks::default(), DeviceRequestId::new(fresh()), DeviceRequestId::new(fresh()));
        let first = locks.lock(request, later()).await.unwrap();
        assert!(!first.has_waited);
        let (mut second, mut third) =
            (Box::pin(locks.lock(request, later())), Box::pin(locks.lock(request, later())));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        assert!(!locks.lock(another, later()).await.unwrap().has_waited);

        drop(first);
        assert!((&mut third).now_or_never().is_none(), "the second is first");
        let second = second.await.unwrap();
        assert!(second.has_waited);
        drop(second);
        assert!(third.await.unwrap().has_waited);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_not_free_in_time_is_none_and_locks_that_nobody_holds_are_dropped() {
        let (locks, request) = (RequestLocks::default(), DeviceRequestId::new(fresh()));
        let first = locks.lock(request, later()).await.unwrap();
        assert!(locks.lock(request, later()).await.is_none());
        drop(first);
        locks.lock(DeviceRequestId::new(fresh()), later()).await.unwrap();
        assert_eq!(locks.0.lock().unwrap().len(), 1);
    }
}
