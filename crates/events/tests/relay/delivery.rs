//! Delivery once and in order, beside concurrent changes and other relays.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use esoz_device_dispense::{Dispense, DispenseStatus};
use esoz_events::{Backlog, EventPublisher, PublishError, StatusChangeEvent};
use esoz_kernel::Clock;
use esoz_testkit::builders::at_millis;

use super::{LEASE, RelayFixture, round};

const LONG: Duration = Duration::from_mins(1);

#[test]
fn given_nothing_waiting_then_a_round_is_idle() {
    let fixture = RelayFixture::new();
    let done = round(&fixture.relay(10));
    assert!(done.is_idle());
    assert_eq!(fixture.bus.taken(), []);
}

#[test]
fn given_all_is_well_then_everything_is_delivered_once_and_in_order() {
    let fixture = RelayFixture::new();
    let pairs: Vec<_> = (0..20).map(|step| fixture.twice_changed(step * 10)).collect();
    let relay = fixture.relay(8);
    let delivered: Vec<_> = (0..4).map(|_| round(&relay).delivered).collect();
    assert_eq!(delivered, [16, 16, 8, 0], "two events of each of at most eight entities in a round");
    assert_eq!(fixture.bus.taken().len(), 40);
    for pair in &pairs {
        assert_eq!(fixture.taken_of(pair[0].entity_id), pair);
    }
    assert_eq!(fixture.backlog(), Backlog::default());
}

#[test]
fn given_an_event_that_comes_while_others_are_delivered_then_it_is_not_lost() {
    /// Marks the dispense in error while the event of its stop is on its way.
    struct MeanwhileBus {
        fixture: Arc<RelayFixture>,
        dispense: std::sync::Mutex<Option<Dispense>>,
    }

    #[async_trait]
    impl EventPublisher for MeanwhileBus {
        async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
            if let Some(mut dispense) = self.dispense.lock().unwrap().take() {
                self.fixture.change(&mut dispense, DispenseStatus::EnteredInError, 1);
            }
            self.fixture.bus.publish(events).await
        }
    }

    let fixture = Arc::new(RelayFixture::new());
    let mut one = fixture.put();
    let first = fixture.change(&mut one, DispenseStatus::Stopped, 0);
    let bus = Arc::new(MeanwhileBus { fixture: Arc::clone(&fixture), dispense: Some(one).into() });
    let relay = fixture.relay_of(fixture.dispenses.clone(), bus, 10);
    assert_eq!(round(&relay).delivered, 1);
    assert_eq!(fixture.bus.taken(), [first]);
    assert_eq!(fixture.backlog().depth, 1);
    assert_eq!(round(&relay).delivered, 1);
    let statuses: Vec<_> = fixture.bus.taken().into_iter().map(|event| event.new_status).collect();
    assert_eq!(statuses, ["stopped", "entered_in_error"]);
}

#[test]
fn given_relays_side_by_side_then_everything_arrives_and_every_entity_in_order() {
    let fixture = RelayFixture::new();
    let mut waiting: Vec<_> = (0..200).map(|_| fixture.put()).collect();
    let deadline = Instant::now() + LONG;
    let is_done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let relay = fixture.relay(7);
                loop {
                    let is_last = is_done.load(Ordering::SeqCst);
                    round(&relay);
                    if is_last && fixture.backlog().depth == 0 {
                        break;
                    }
                    assert!(Instant::now() < deadline, "{:?} left", fixture.backlog());
                    std::thread::yield_now();
                }
            });
        }
        for to in [DispenseStatus::Stopped, DispenseStatus::EnteredInError] {
            for (step, one) in (0..).zip(&mut waiting) {
                fixture.change(one, to, step);
            }
        }
        is_done.store(true, Ordering::SeqCst);
    });
    let taken = fixture.bus.taken();
    let distinct: HashSet<_> = taken.iter().map(|event| event.id).collect();
    assert_eq!((taken.len(), distinct.len()), (400, 400), "the claims never ended, so nothing came twice");
    for one in &waiting {
        let statuses: Vec<_> =
            fixture.taken_of(one.id.uuid()).into_iter().map(|event| event.new_status).collect();
        assert_eq!(statuses, ["stopped", "entered_in_error"]);
    }
    assert!(fixture.clock.now() < at_millis(60_000).saturating_add(LEASE));
}
