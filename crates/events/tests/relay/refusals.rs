//! What the bus refuses waits and arrives later, in order, and holds up no other entity.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use esoz_events::{EventPublisher, PublishError, StatusChangeEvent};
use esoz_testkit::fakes::RecordingPublisher;
use pollster::block_on;

use super::{RelayFixture, round, round_at};

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
