//! The relay between a real (if fleeting) outbox and publisher: nothing is lost, and the events of one entity stay in order.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod delivery;
mod redelivery;
mod refusals;
mod undeliverable;

use std::sync::Arc;
use std::time::Duration;

use esoz_device_dispense::{DeviceDispenses, Dispense, DispenseRegistry, DispenseStatus};
use esoz_events::{
    Backlog, Backoff, EventPublisher, Outbox, Relay, RelayLimits, RelayRound, StatusChangeEvent,
};
use esoz_kernel::{Committed, Uuid};
use esoz_testkit::builders::{at_millis, change_of, dispense, fresh};
use esoz_testkit::clock::ManualClock;
use esoz_testkit::fakes::{FakeDispenses, RecordingPublisher};
use pollster::block_on;

const LEASE: Duration = Duration::from_secs(30);

const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(4) };

/// A round at that many seconds.
fn round_at(relay: &Relay, seconds: u64) -> RelayRound {
    block_on(relay.run_once(Duration::from_secs(seconds))).unwrap()
}

/// A round at the beginning of all time.
fn round(relay: &Relay) -> RelayRound {
    round_at(relay, 0)
}

/// An outbox, a bus and a clock that stands still at a minute after the first event.
struct RelayFixture {
    dispenses: Arc<FakeDispenses>,
    bus: Arc<RecordingPublisher>,
    clock: Arc<ManualClock>,
}

impl RelayFixture {
    fn new() -> Self {
        Self {
            dispenses: Arc::default(),
            bus: Arc::default(),
            clock: Arc::new(ManualClock::new(at_millis(60_000))),
        }
    }

    fn relay(&self, max_entities: u32) -> Relay {
        self.relay_of(self.dispenses.clone(), self.bus.clone(), max_entities)
    }

    fn relay_of(
        &self,
        outbox: Arc<dyn Outbox>,
        publisher: Arc<dyn EventPublisher>,
        max_entities: u32,
    ) -> Relay {
        let limits = RelayLimits { lease: LEASE, max_entities, backoff: BACKOFF };
        Relay::new(outbox, publisher, self.clock.clone(), limits, fresh())
    }

    fn put(&self) -> Dispense {
        let one = dispense().build();
        block_on(self.dispenses.put_dispenses(std::slice::from_ref(&one))).unwrap();
        one
    }

    fn change(&self, dispense: &mut Dispense, to: DispenseStatus, millis: i64) -> StatusChangeEvent {
        let change = change_of(dispense, to, at_millis(millis));
        match block_on(self.dispenses.commit(&change)).unwrap() {
            Committed::Applied(after) => *dispense = after,
            other => {
                panic!("the change was not applied: {other:?}")
            }
        }
        change.event
    }

    /// A dispense that was stopped and then marked in error: two events.
    fn twice_changed(&self, millis: i64) -> [StatusChangeEvent; 2] {
        let mut one = self.put();
        let stopped = self.change(&mut one, DispenseStatus::Stopped, millis);
        [stopped, self.change(&mut one, DispenseStatus::EnteredInError, millis + 1)]
    }

    fn backlog(&self) -> Backlog {
        block_on(self.dispenses.backlog()).unwrap()
    }

    /// What arrived about one entity.
    fn taken_of(&self, entity: Uuid) -> Vec<StatusChangeEvent> {
        self.bus.taken().into_iter().filter(|event| event.entity_id == entity).collect()
    }
}
