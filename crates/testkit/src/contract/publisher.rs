//! Sending events: [`EventPublisher`](esoz_events::EventPublisher).

use esoz_events::{StatusChangeEvent, wire};
use esoz_kernel::Uuid;

use super::{Message, PublisherUnderTest};
use crate::builders::{at_millis, event_of, fresh};

async fn published(under_test: &PublisherUnderTest, events: &[StatusChangeEvent]) {
    let answers = under_test.publisher.publish(events).await;
    assert_eq!(answers.len(), events.len(), "one answer each");
    for answer in answers {
        answer.unwrap();
    }
}

/// The message that an event must become (conventions, "Events").
fn message(event: &StatusChangeEvent) -> Message {
    Message {
        key: wire::key(event),
        json: serde_json::from_str(&wire::json(event)).unwrap(),
        request_id: Some(event.request_id.to_string()),
        traceparent: event.trace.map(|trace| trace.to_string()),
    }
}

/// The events of one entity, a second apart.
fn series(entity: Uuid, length: i64) -> Vec<StatusChangeEvent> {
    let event = |step| StatusChangeEvent { event_time: at_millis(step * 1_000), ..event_of(entity) };
    (0..length).map(event).collect()
}

/// Nothing to publish is nothing.
pub async fn no_events_are_no_messages(under_test: PublisherUnderTest) {
    published(&under_test, &[]).await;
    assert_eq!(under_test.delivered.messages().await, []);
}

/// Key, body, request id and traceparent.
pub async fn an_event_becomes_one_message(under_test: PublisherUnderTest) {
    let event = event_of(fresh());
    published(&under_test, std::slice::from_ref(&event)).await;
    assert_eq!(under_test.delivered.messages().await, [message(&event)]);
}

/// What was not traced has no header that says so.
pub async fn an_untraced_event_has_no_traceparent(under_test: PublisherUnderTest) {
    let event = StatusChangeEvent { trace: None, ..event_of(fresh()) };
    published(&under_test, std::slice::from_ref(&event)).await;
    let delivered = under_test.delivered.messages().await;
    assert_eq!(delivered, [message(&event)]);
    assert_eq!(delivered[0].traceparent, None);
}

/// Events of many entities in one call: each is delivered, once.
pub async fn events_of_many_entities_are_all_delivered(under_test: PublisherUnderTest) {
    let events: Vec<_> = (0..100).map(|_| event_of(fresh())).collect();
    published(&under_test, &events).await;
    let mut delivered = under_test.delivered.messages().await;
    let mut expected: Vec<_> = events.iter().map(message).collect();
    delivered.sort_by(|one, other| one.key.cmp(&other.key));
    expected.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(delivered, expected);
}

/// The same event again is no error; consumers drop duplicates by its id.
pub async fn an_event_can_be_published_again(under_test: PublisherUnderTest) {
    let event = event_of(fresh());
    published(&under_test, std::slice::from_ref(&event)).await;
    published(&under_test, std::slice::from_ref(&event)).await;
    let delivered = under_test.delivered.messages().await;
    assert!((1..=2).contains(&delivered.len()), "{delivered:?}");
    assert!(delivered.iter().all(|one| *one == message(&event)), "{delivered:?}");
}

/// The events of one entity arrive in the order in which they were published.
pub async fn messages_of_one_key_keep_their_order(under_test: PublisherUnderTest) {
    let all: Vec<_> = (0..3).map(|_| series(fresh(), 10)).collect();
    for step in 0..10 {
        let wave: Vec<_> = all.iter().map(|series| series[step].clone()).collect();
        published(&under_test, &wave).await;
    }
    let delivered = under_test.delivered.messages().await;
    for series in &all {
        let key = wire::key(&series[0]);
        let of_key: Vec<_> = delivered.iter().filter(|message| message.key == key).cloned().collect();
        assert_eq!(of_key, series.iter().map(message).collect::<Vec<_>>());
    }
}
