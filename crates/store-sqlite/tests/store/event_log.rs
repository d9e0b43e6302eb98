use diesel::connection::SimpleConnection as _;
use esoz_events::{
    EventFilter, EventLog, EventPosition, EventPublisher as _, LoggedEvent, Period, Retention, wire,
};
use esoz_kernel::{EventId, Listed, PageRequest, StoreErrorKind, Uuid};
use esoz_store_sqlite::SqliteStore;
use esoz_testkit::builders::{at_millis, event_of, fresh as fresh_id, logged_event};

use crate::common::{Fresh, fresh};
use crate::shell;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_on_from_any_place_and_holds_each_event_once() {
    let fresh = fresh();
    let events: Vec<_> = (0..5).map(|_| event_of(fresh_id())).collect();
    for some in [&events[..3], &events[2..]] {
        for answer in fresh.store.publish(some).await {
            answer.unwrap();
        }
    }
    // A store that is opened later sees the same.
    let later = SqliteStore::open(&fresh.settings).unwrap();
    let mut seen = Vec::new();
    let mut last = 0;
    loop {
        let page = later.delivered_after(last, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some((sequence, _)) = page.last() else { break };
        last = *sequence;
        seen.extend(page.into_iter().map(|(_, json)| json));
    }
    let expected: Vec<_> = events.iter().map(wire::json).collect();
    assert_eq!(seen, expected);
}

/// A store with events a millisecond apart, of which the third was tampered with.
async fn tampered(set: &str) -> (Fresh, [LoggedEvent; 4]) {
    let fresh = fresh();
    let events = [0, 1, 2, 3].map(|millis| LoggedEvent { event_time: at_millis(millis), ..logged_event() });
    assert_eq!(fresh.store.store(&events).await.unwrap(), 4);
    let [_, _, third, _] = &events;
    let update = format!("UPDATE event_log SET {set} WHERE event_id = '{}'", third.id);
    shell(&fresh.settings.path).batch_execute(&update).unwrap();
    (fresh, events)
}

fn set_field(field: &str, json: &str) -> String {
    format!("json = json_set(json, '$.{field}', json('{json}'))")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_a_field_that_cannot_be_read_is_an_error_in_its_place_that_names_it() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (set, field) in [
        (set_field("id", "7"), "id"),
        (set_field("event_type", "\"\""), "event_type"),
        (set_field("entity_type", "\"\""), "entity_type"),
        (set_field("entity_id", "\"a-canary\""), "entity_id"),
        (set_field("properties", "\"a-canary\""), "properties"),
        (set_field("event_time", "\"2026-01-31T08:15:30.a-canary\""), "event_time"),
        (set_field("changed_by", "\"a-canary\""), "changed_by"),
        (set_field("more", &deep), "json"),
    ] {
        let (fresh, events) = tampered(&set).await;
        let period = Period::new(Some(at_millis(0)), None, 1, at_millis(0)).unwrap();
        let filter = EventFilter { period, event_type: None, entity_type: None, attribute: None };
        let page = EventLog::list(&fresh.store, &filter, PageRequest::FIRST).await.unwrap();
        assert_eq!(page.total_entries, 4, "{set}");
        let Listed { page, unreadable } = page.into();
        let [first, second, third, fourth] = events;
        assert_eq!(page.items, [first, second, fourth], "{set}");
        let [error] = unreadable.as_slice() else { panic!("{unreadable:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        for part in ["event_log", &third.id.to_string(), &format!("field {field}")] {
            assert!(error.to_string().contains(part), "{error} does not name {part}");
        }
        assert!(!error.with_causes().contains("canary"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_cannot_be_read_does_not_stop_retention() {
    for (set, stays) in [
        ("event_id = 'no id'".to_owned(), false),
        ("event_id = upper(event_id)".to_owned(), false),
        (set_field("event_time", "\"2026-01-31T08:15:30.125+02:00\""), false),
        (set_field("event_time", "\"2026-01-31T08:15:30.125x\""), false),
        (set_field("event_time", "\"\""), false),
        // After all times that there are.
        (set_field("event_time", "\"yesterday\""), true),
    ] {
        let (fresh, [_, second, ..]) = tampered(&set).await;
        let retention = Retention { keep: std::time::Duration::from_hours(24), keep_count: 2 };
        let cutoff = retention.cutoff(&fresh.store, at_millis(0)).await.0;
        assert_eq!(cutoff, second.position(), "{set}");
        let end = EventPosition { event_time: at_millis(10), id: EventId::new(Uuid::nil()) };
        let removed = fresh.store.remove_before(end, 10).await.unwrap();
        assert_eq!(removed, if stays { 3 } else { 4 }, "{set}");
    }
}
