//! Creates for one device request take turns within this process, so that they do not overtake each other (docs/adr/0035).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use esoz_kernel::DeviceRequestId;
use tokio::{
    sync::{Mutex as Turn, OwnedMutexGuard},
    time::{Instant, timeout_at},
};

/// The turns of the requests that a dispense is created for just now.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<DeviceRequestId, Arc<Turn<()>>>>);

/// A turn, until it is dropped, and whether others came first.
pub(super) struct Taken {
    _turn: OwnedMutexGuard<()>,
    pub(super) has_waited: bool,
}

impl Turns {
    /// Waits for the turn of a request, in the order of arrival. `None`: the time is over.
    pub(super) async fn take(&self, request: DeviceRequestId, deadline: Instant) -> Option<Taken> {
        let turn = self.of(request);
        if let Ok(turn) = turn.clone().try_lock_owned() {
            return Some(Taken { _turn: turn, has_waited: false });
        }
        let turn = timeout_at(deadline, turn.lock_owned()).await.ok()?;
        Some(Taken { _turn: turn, has_waited: true })
    }

    fn of(&self, request: DeviceRequestId) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(request).or_default().clone()
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
    async fn one_request_has_its_turns_in_the_order_of_arrival_and_another_waits_for_none() {
        let (turns, request, another) =
            (Turns::default(), DeviceRequestId::new(fresh()), DeviceRequestId::new(fresh()));
        let first = turns.take(request, later()).await.unwrap();
        assert!(!first.has_waited);
        let (mut second, mut third) =
            (Box::pin(turns.take(request, later())), Box::pin(turns.take(request, later())));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        assert!(!turns.take(another, later()).await.unwrap().has_waited);

        drop(first);
        assert!((&mut third).now_or_never().is_none(), "the second is first");
        let second = second.await.unwrap();
        assert!(second.has_waited);
        drop(second);
        assert!(third.await.unwrap().has_waited);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_does_not_come_in_time_is_none_and_nothing_is_kept_of_those_that_are_over() {
        let (turns, request) = (Turns::default(), DeviceRequestId::new(fresh()));
        let first = turns.take(request, later()).await.unwrap();
        assert!(turns.take(request, later()).await.is_none());
        drop(first);
        turns.take(DeviceRequestId::new(fresh()), later()).await.unwrap();
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
