use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the requests that are being worked on.
#[derive(Clone)]
pub(super) struct InFlight(Arc<Semaphore>);

/// One request's place. It is given back when this is dropped: after an answer as after a panic, and for a request that outlives its
/// limit or its client when its work has really ended.
pub(crate) struct InFlightPermit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl InFlight {
    pub(super) fn new(max: usize) -> Self {
        Self(Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))))
    }

    /// A place, if one is free. Nobody waits: who would is better served by another replica.
    pub(super) fn enter(&self) -> Option<InFlightPermit> {
        Arc::clone(&self.0).try_acquire_owned().ok().map(InFlightPermit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_however_its_holder_ended() {
        let in_flight = InFlight::new(1);
        let held = in_flight.enter();
        assert!(held.is_some());
        assert!(in_flight.enter().is_none());
        drop(held);
        let held = in_flight.enter();
        assert!(held.is_some());
        let panicked = std::thread::spawn(move || {
            let _held = held;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(in_flight.enter().is_some());
    }
}
