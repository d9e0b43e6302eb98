//! The relay between a real (if fleeting) outbox and publisher: nothing is lost, and the events of one entity stay in order.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod undeliverable;

use std::collections::HashSet;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use esoz_device_dispense::{DeviceDispenses, Dispense, DispenseRegistry, DispenseStatus};
use esoz_events::{
    Backlog, Backoff, EventPublisher, EventRef, Outbox, PublishError, Relay, RelayLimits, RelayRound,
    StatusChangeEvent,
};
use esoz_kernel::{Clock, Committed, StoreError, StoreErrorKind, Uuid};
use esoz_testkit::builders::{at_millis, change_of, dispense, fresh};
use esoz_testkit::clock::ManualClock;
use esoz_testkit::doubles::{Double, OutboxDouble};
use esoz_testkit::fakes::{FakeDispenses, RecordingPublisher};
use pollster::block_on;

const LEASE: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_mins(1);
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

/// An outbox whose next calls of `remove` fail, as if the store went away between publishing and removing.
struct ForgetfulOutbox {
    inner: Arc<FakeDispenses>,
    failures_left: AtomicU32,
}

#[async_trait]
impl OutboxDouble for ForgetfulOutbox {
    fn inner(&self) -> &dyn Outbox {
        &*self.inner
    }

    async fn remove(&self, delivered: &[EventRef]) -> Result<(), StoreError> {
        let fails = |left: u32| left.checked_sub(1);
        if self.failures_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "removing delivered events"));
        }
        self.inner.remove(delivered).await
    }
}

/// A bus that takes what it gets and never answers.
struct SilentBus(Arc<RecordingPublisher>);

#[async_trait]
impl EventPublisher for SilentBus {
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
        self.0.publish(events).await;
        std::future::pending().await
    }
}

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
fn given_a_refused_entity_then_it_alone_waits_and_arrives_later_in_order() {
    let fixture = RelayFixture::new();
    let [refused, well] = [0, 10].map(|millis| fixture.twice_changed(millis));
    let entity = refused[0].entity_id;
    fixture.bus.refuse(entity);
    let relay = fixture.relay(10);
    let done = round(&relay);
    assert_eq!((done.delivered, done.failed), (2, 2));
    assert!(done.failure.unwrap().to_string().contains("told to refuse"));
    assert_eq!(fixture.bus.taken(), well);
    assert_eq!(fixture.backlog().depth, 2);

    fixture.bus.accept(entity);
    let done = round_at(&relay, 1);
    assert_eq!((done.delivered, done.failed), (2, 0));
    assert_eq!(fixture.taken_of(entity), refused);
    assert_eq!(fixture.backlog().depth, 0);
}

#[test]
fn given_an_entity_refused_after_its_first_event_then_the_second_follows_alone() {
    /// Refuses an entity as soon as it has taken one event of it.
    struct OneThenNoMore(Arc<RecordingPublisher>);

    #[async_trait]
    impl EventPublisher for OneThenNoMore {
        async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
            let answers = self.0.publish(events).await;
            for event in events {
                self.0.refuse(event.entity_id);
            }
            answers
        }
    }

    let fixture = RelayFixture::new();
    let pair = fixture.twice_changed(0);
    let bus = Arc::new(OneThenNoMore(Arc::clone(&fixture.bus)));
    let done =
        block_on(fixture.relay_of(fixture.dispenses.clone(), bus, 10).run_once(Duration::ZERO)).unwrap();
    assert_eq!((done.delivered, done.failed), (1, 1));
    assert_eq!(fixture.bus.taken(), pair[..1]);
    fixture.bus.accept(pair[0].entity_id);
    round(&fixture.relay(10));
    assert_eq!(fixture.bus.taken(), pair, "the first is not delivered again");
}

#[test]
fn given_a_bus_that_stumbles_once_then_no_event_overtakes_the_one_it_stumbled_over() {
    /// Refuses what it gets first, and takes everything after that.
    struct StumblingBus {
        inner: Arc<RecordingPublisher>,
        has_stumbled: AtomicBool,
    }

    #[async_trait]
    impl EventPublisher for StumblingBus {
        async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
            if self.has_stumbled.swap(true, Ordering::SeqCst) {
                return self.inner.publish(events).await;
            }
            events.iter().map(|_| Err(PublishError::Unavailable("stumbled".to_owned()))).collect()
        }
    }

    let fixture = RelayFixture::new();
    let pair = fixture.twice_changed(0);
    let bus = Arc::new(StumblingBus { inner: fixture.bus.clone(), has_stumbled: AtomicBool::new(false) });
    let relay = fixture.relay_of(fixture.dispenses.clone(), bus, 10);
    let done = round(&relay);
    assert_eq!((done.delivered, done.failed), (0, 2));
    assert_eq!(fixture.bus.taken(), [], "the second would overtake the first");
    assert_eq!(round_at(&relay, 1).delivered, 2);
    assert_eq!(fixture.bus.taken(), pair);
}

#[test]
fn given_a_failed_round_then_another_relay_need_not_wait_for_the_claim_to_end() {
    let fixture = RelayFixture::new();
    let pair = fixture.twice_changed(0);
    fixture.bus.refuse(pair[0].entity_id);
    assert_eq!(round(&fixture.relay(10)).failed, 2);
    fixture.bus.accept(pair[0].entity_id);
    assert_eq!(round(&fixture.relay(10)).delivered, 2);
    assert_eq!(fixture.bus.taken(), pair);
}

#[test]
fn given_a_store_that_fails_after_publishing_then_it_is_delivered_again() {
    let fixture = RelayFixture::new();
    let pair = fixture.twice_changed(0);
    let (inner, failures_left) = (Arc::clone(&fixture.dispenses), AtomicU32::new(1));
    let outbox = Arc::new(Double(ForgetfulOutbox { inner, failures_left }));
    let relay = fixture.relay_of(outbox, fixture.bus.clone(), 10);
    let error = block_on(relay.run_once(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert_eq!(fixture.backlog().depth, 2, "published, but not surely so for the outbox");
    assert_eq!(round(&relay).delivered, 2);
    let [first, second] = pair;
    assert_eq!(fixture.bus.taken(), [first.clone(), second.clone(), first, second]);
    assert_eq!(fixture.backlog().depth, 0);
}

#[test]
fn given_a_relay_that_dies_after_publishing_then_another_delivers_when_its_claim_has_ended() {
    let fixture = RelayFixture::new();
    let pair = fixture.twice_changed(0);
    let bus = Arc::new(SilentBus(Arc::clone(&fixture.bus)));
    let dying = fixture.relay_of(fixture.dispenses.clone(), bus, 10);
    {
        let mut round = Box::pin(dying.run_once(Duration::ZERO));
        assert!(matches!(round.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    }
    assert_eq!(fixture.bus.taken(), pair[..1]);

    let heir = fixture.relay(10);
    assert!(round(&heir).is_idle(), "the claim of the dead relay still holds");
    fixture.clock.advance(LEASE);
    assert_eq!(round(&heir).delivered, 2);
    let [first, second] = pair;
    assert_eq!(fixture.bus.taken(), [first.clone(), first, second]);
    assert_eq!(fixture.backlog().depth, 0);
}

#[test]
fn given_a_relay_that_stops_in_order_then_what_it_held_is_free() {
    let fixture = RelayFixture::new();
    let pair = fixture.twice_changed(0);
    let bus = Arc::new(SilentBus(Arc::clone(&fixture.bus)));
    let stopping = fixture.relay_of(fixture.dispenses.clone(), bus, 10);
    {
        let mut round = Box::pin(stopping.run_once(Duration::ZERO));
        assert!(matches!(round.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    }
    block_on(stopping.release()).unwrap();
    assert_eq!(round(&fixture.relay(10)).delivered, 2);
    assert_eq!(fixture.taken_of(pair[0].entity_id).len(), 3);
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
