//! What was published and not removed is delivered again: after a store that fails, a relay that dies or stops.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use esoz_events::{
    Claim, Claimed, EventPublisher, EventRef, Outbox, PublishError, RelayFailure, SetAside, StatusChangeEvent,
};
use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_testkit::doubles::{Double, OutboxDouble};
use esoz_testkit::fakes::{FakeDispenses, RecordingPublisher};
use pollster::block_on;

use super::{LEASE, RelayFixture, round};

/// An outbox whose next calls of `remove` fail, as if the store went away between publishing and removing.
struct ForgetfulOutbox {
    inner: Arc<FakeDispenses>,
    failures_left: AtomicU32,
    /// What its next claim sets aside.
    unreadable: Mutex<Vec<SetAside>>,
}

#[async_trait]
impl OutboxDouble for ForgetfulOutbox {
    fn inner(&self) -> &dyn Outbox {
        &*self.inner
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let set_aside = std::mem::take(&mut *self.unreadable.lock().unwrap());
        Ok(Claimed { set_aside, ..self.inner.claim(claim).await? })
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
fn given_a_store_that_fails_after_publishing_then_it_is_delivered_again() {
    let fixture = RelayFixture::new();
    let pair = fixture.twice_changed(0);
    let unreadable = SetAside::new(pair[0].id, None, pair[0].entity_id, "unreadable".to_owned(), None);
    let (inner, failures_left) = (Arc::clone(&fixture.dispenses), AtomicU32::new(1));
    let unreadable = Mutex::new(vec![unreadable]);
    let outbox = Arc::new(Double(ForgetfulOutbox { inner, failures_left, unreadable }));
    let relay = fixture.relay_of(outbox, fixture.bus.clone(), 10);
    let RelayFailure { error, round: ended } = block_on(relay.run_once(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    // The next round does not find it again.
    assert_eq!((ended.set_aside.len(), ended.delivered), (1, 0));
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
