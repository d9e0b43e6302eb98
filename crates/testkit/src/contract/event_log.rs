//! The event log: [`EventLog`](esoz_events::EventLog).

use esoz_events::{Attribute, EventFilter, EventPosition, LoggedEvent, Period, Properties};
use esoz_kernel::{EventId, Listed, Page, PageRequest, StoreError, StoreErrorKind, Timestamp, Uuid};

use super::EventLogUnderTest;
use crate::builders::{at_millis, event_of, fresh, logged_event};

/// The hour that begins at the time of the builders' events.
fn hour() -> EventFilter {
    let period = Period::new(Some(at_millis(0)), None, 1, at_millis(0)).unwrap();
    EventFilter { period, event_type: None, entity_type: None, attribute: None }
}

fn with_attribute(name: &str, new_value: Option<&str>) -> EventFilter {
    let attribute = Attribute { name: name.to_owned(), new_value: new_value.map(str::to_owned) };
    EventFilter { attribute: Some(attribute), ..hour() }
}

async fn list(
    under_test: &EventLogUnderTest,
    filter: &EventFilter,
    number: u32,
    size: u32,
) -> Page<LoggedEvent> {
    let listed = under_test.log.list(filter, PageRequest::new(number, size).unwrap()).await.unwrap();
    let Listed { page, unreadable } = listed.into();
    assert_eq!(unreadable.len(), 0, "{unreadable:?}");
    page
}

async fn all(under_test: &EventLogUnderTest) -> Vec<LoggedEvent> {
    list(under_test, &hour(), 1, 300).await.items
}

fn at(millis: i64) -> LoggedEvent {
    LoggedEvent { event_time: at_millis(millis), ..logged_event() }
}

fn with_properties(millis: i64, properties: &str) -> LoggedEvent {
    LoggedEvent { properties: Properties::parse(properties).unwrap(), ..at(millis) }
}

/// A fresh log has nothing.
pub async fn an_empty_log_has_nothing(under_test: EventLogUnderTest) {
    let log = &under_test.log;
    assert_eq!(log.store(&[]).await.unwrap(), 0);
    assert_eq!(log.find(EventId::new(fresh())).await.unwrap(), None);
    assert_eq!(list(&under_test, &hour(), 1, 50).await, Page::empty());
    assert_eq!(log.nth_newest(1).await.unwrap(), None);
    let end = EventPosition { event_time: Timestamp::MAX, id: EventId::new(Uuid::max()) };
    assert_eq!(log.remove_before(end, 10).await.unwrap(), 0);
}

/// Whoever published it, whatever is in it.
pub async fn an_event_is_found_as_it_was_stored(under_test: EventLogUnderTest) {
    let properties =
        r#"{ "b": {"new_value": 1.50, "more": 12345678901234567890123}, "a": "\u0000 Ї", "": [] }"#;
    let of_others = LoggedEvent {
        event_type: "Подія \"1\" \\".to_owned(),
        entity_type: "x".repeat(LoggedEvent::MAX_TYPE_CHARS),
        ..with_properties(0, properties)
    };
    let [first, last] = [Timestamp::MIN, "9999-12-31T23:59:59.999Z".parse().unwrap()]
        .map(|event_time| LoggedEvent { event_time, ..logged_event() });
    let events = [LoggedEvent::from(&event_of(fresh())), of_others, first, last];
    assert_eq!(under_test.log.store(&events).await.unwrap(), 4);
    for event in events {
        assert_eq!(under_test.log.find(event.id).await.unwrap(), Some(event));
    }
}

/// In one call, in several, and with another content, which stays unknown.
pub async fn an_event_is_stored_once(under_test: EventLogUnderTest) {
    let (one, two) = (at(0), at(1));
    assert_eq!(under_test.log.store(&[one.clone(), one.clone()]).await.unwrap(), 1);
    let changed = LoggedEvent { event_type: "Other".to_owned(), ..one.clone() };
    assert_eq!(under_test.log.store(&[changed, two.clone(), one.clone()]).await.unwrap(), 1);
    assert_eq!(all(&under_test).await, [one, two]);
}

/// As two consumers do after a rebalance.
pub async fn concurrent_calls_store_an_event_once(under_test: EventLogUnderTest) {
    let events: Vec<LoggedEvent> = (0..50).map(at).collect();
    let backwards: Vec<LoggedEvent> = events.iter().rev().cloned().collect();
    let calls = (0..8).map(|number| {
        let (log, events) =
            (under_test.log.clone(), if number % 2 == 0 { events.clone() } else { backwards.clone() });
        tokio::spawn(async move { log.store(&events).await.unwrap() })
    });
    let mut stored = 0;
    for store in calls.collect::<Vec<_>>() {
        stored += store.await.unwrap();
    }
    assert_eq!(stored, 50);
    assert_eq!(all(&under_test).await, events);
}

/// The begin is in the period, the end is not.
pub async fn a_period_has_its_begin_and_not_its_end(under_test: EventLogUnderTest) {
    let hour_millis = 3_600_000;
    let events = [-1, 0, hour_millis - 1, hour_millis].map(at);
    under_test.log.store(&events).await.unwrap();
    assert_eq!(all(&under_test).await, events[1..3]);
}

/// Each filter alone, and all together.
pub async fn a_list_holds_what_meets_every_filter(under_test: EventLogUnderTest) {
    let one = at(0);
    let other_type = LoggedEvent { event_type: "Other".to_owned(), ..at(1) };
    let other_entity = LoggedEvent { entity_type: "Declaration".to_owned(), ..at(2) };
    let both = LoggedEvent { event_type: "Other".to_owned(), entity_type: "Declaration".to_owned(), ..at(3) };
    let outside = LoggedEvent { event_type: "Other".to_owned(), ..at(-1) };
    let events = [one.clone(), other_type.clone(), other_entity.clone(), both.clone(), outside];
    under_test.log.store(&events).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (EventFilter { event_type: text("Other"), ..hour() }, vec![&other_type, &both]),
        (EventFilter { event_type: text("StatusChangeEvent"), ..hour() }, vec![&one, &other_entity]),
        (EventFilter { event_type: text("other"), ..hour() }, vec![]),
        (EventFilter { entity_type: text("Declaration"), ..hour() }, vec![&other_entity, &both]),
        (EventFilter { entity_type: text("%"), ..hour() }, vec![]),
        (EventFilter { event_type: text("Other"), entity_type: text("Declaration"), ..hour() }, vec![&both]),
        (
            EventFilter {
                event_type: text("StatusChangeEvent"),
                entity_type: text("Declaration"),
                ..with_attribute("status", Some("stopped"))
            },
            vec![&other_entity],
        ),
    ] {
        let page = list(&under_test, &filter, 1, 50).await;
        assert_eq!(page.items.iter().collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(page.total_entries, u64::try_from(expected.len()).unwrap(), "{filter:?}");
    }
}

/// A literal key, and the text of its value.
pub async fn an_attribute_is_a_literal_key_with_the_text_of_its_value(under_test: EventLogUnderTest) {
    let properties = [
        r#"{"status":{"new_value":"stopped"}}"#,
        r#"{"status":{"new_value":"in_progress"},"is_active":{"new_value":true}}"#,
        r#"{"detail.status":{"new_value":"stopped"}}"#,
        r#"{"detail":{"status":{"new_value":"stopped"}}}"#,
        r#"{"status":{"old_value":"stopped"}}"#,
        r#"{"status":"stopped"}"#,
        r#"{"q\"u'o$[0]*":{"new_value":"%' OR \"1\""}}"#,
        r#"{"price":{"new_value":1.50},"is_active":{"new_value":"true"},"status":{"new_value":null}}"#,
        "{}",
    ];
    let events: Vec<LoggedEvent> =
        (0..).zip(properties).map(|(millis, text)| with_properties(millis, text)).collect();
    under_test.log.store(&events).await.unwrap();
    for (name, new_value, expected) in [
        ("status", None, vec![0, 1, 4, 5, 7]),
        ("status", Some("stopped"), vec![0]),
        ("status", Some("null"), vec![7]),
        ("status", Some(""), vec![]),
        ("detail.status", None, vec![2]),
        ("detail.status", Some("stopped"), vec![2]),
        ("detail", None, vec![3]),
        ("is_active", Some("true"), vec![1, 7]),
        ("is_active", Some("1"), vec![]),
        ("price", Some("1.50"), vec![7]),
        ("price", Some("1.5"), vec![]),
        ("q\"u'o$[0]*", None, vec![6]),
        ("q\"u'o$[0]*", Some("%' OR \"1\""), vec![6]),
        ("Status", None, vec![]),
        ("*", None, vec![]),
        ("", None, vec![]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|index: usize| events[index].clone()).collect();
        let page = list(&under_test, &with_attribute(name, new_value), 1, 50).await;
        assert_eq!(page.items, expected, "{name} {new_value:?}");
        assert_eq!(page.total_entries, u64::try_from(expected.len()).unwrap(), "{name} {new_value:?}");
    }
}

/// Every event stands on one page, in order of time and then id; a page after the last is empty with the true total.
pub async fn pages_are_in_order_and_complete(under_test: EventLogUnderTest) {
    // Few distinct times, so that the id decides as well.
    let mut expected: Vec<LoggedEvent> = (0..13).map(|place| at(place % 3)).collect();
    under_test.log.store(&expected).await.unwrap();
    expected.sort_unstable_by_key(LoggedEvent::position);
    let mut seen = Vec::new();
    for (number, entries) in [(1, 5), (2, 5), (3, 3), (4, 0), (PageRequest::MAX_NUMBER, 0)] {
        let page = list(&under_test, &hour(), number, 5).await;
        assert_eq!((page.items.len(), page.total_entries), (entries, 13), "page {number}");
        seen.extend(page.items);
    }
    assert_eq!(seen, expected);
}

/// By time, then by id, from the end.
pub async fn the_nth_newest_is_counted_from_the_end(under_test: EventLogUnderTest) {
    let mut events: Vec<LoggedEvent> = (0..5).map(|place| at(place / 2)).collect();
    under_test.log.store(&events).await.unwrap();
    events.sort_unstable_by_key(|event| std::cmp::Reverse(event.position()));
    for (n, event) in (1..).zip(&events) {
        assert_eq!(under_test.log.nth_newest(n).await.unwrap(), Some(event.position()), "{n}");
    }
    for n in [0, 6, u64::MAX] {
        assert_eq!(under_test.log.nth_newest(n).await.unwrap(), None, "{n}");
    }
}

/// In steps, the first of the log first; what is at the position stays, and so does what is after it.
pub async fn what_is_before_a_position_is_removed_in_steps(under_test: EventLogUnderTest) {
    let mut events: Vec<LoggedEvent> = (0..9).map(|place| at(place / 3)).collect();
    under_test.log.store(&events).await.unwrap();
    events.sort_unstable_by_key(LoggedEvent::position);
    let position = events[7].position();
    for (removed, left) in [(3, 3), (3, 6), (1, 7), (0, 7)] {
        assert_eq!(under_test.log.remove_before(position, 3).await.unwrap(), removed);
        assert_eq!(all(&under_test).await, events[left..]);
    }
    let before_all = EventPosition { event_time: at_millis(-1), id: EventId::new(Uuid::max()) };
    assert_eq!(under_test.log.remove_before(before_all, 3).await.unwrap(), 0);
    assert_eq!(under_test.log.find(events[0].id).await.unwrap(), None);
    // It may come again.
    assert_eq!(under_test.log.store(&events).await.unwrap(), 7);
    assert_eq!(all(&under_test).await, events);
}

fn assert_corrupt(error: &StoreError, id: EventId) {
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    for part in ["event_log", &id.to_string(), "properties"] {
        assert!(error.to_string().contains(part), "{error} does not name {part}");
    }
}

/// What cannot be read is an error in its place, named by place, id and field, and counted; so it is when it is looked up.
pub async fn what_cannot_be_read_is_an_error_in_its_place(under_test: EventLogUnderTest) {
    let events: Vec<LoggedEvent> = (0..5).map(at).collect();
    under_test.log.store(&events).await.unwrap();
    for index in [1, 3] {
        under_test.raw.make_unreadable(events[index].id).await;
        assert_corrupt(&under_test.log.find(events[index].id).await.unwrap_err(), events[index].id);
    }
    let page = under_test.log.list(&hour(), PageRequest::FIRST).await.unwrap();
    assert_eq!((page.items.len(), page.total_entries), (5, 5));
    for ((index, event), item) in events.iter().enumerate().zip(page.items) {
        match item {
            Ok(readable) => assert_eq!((readable, index % 2), (event.clone(), 0)),
            Err(error) => {
                assert_corrupt(&error, event.id);
                assert_eq!(index % 2, 1, "{error}");
            }
        }
    }
    // In a list by what it is not it does not occur.
    let other = EventFilter { event_type: Some("Other".to_owned()), ..hour() };
    assert_eq!(list(&under_test, &other, 1, 50).await, Page::empty());
}

/// Retention reads nothing of an event but its position.
pub async fn what_cannot_be_read_is_removed_like_any_other_event(under_test: EventLogUnderTest) {
    let events: Vec<LoggedEvent> = (0..5).map(at).collect();
    under_test.log.store(&events).await.unwrap();
    for event in &events[..4] {
        under_test.raw.make_unreadable(event.id).await;
    }
    let position = under_test.log.nth_newest(2).await.unwrap().unwrap();
    assert_eq!(position, events[3].position());
    assert_eq!(under_test.log.remove_before(position, 10).await.unwrap(), 3);
    assert_eq!(under_test.log.find(events[0].id).await.unwrap(), None);
    let end = EventPosition { event_time: at_millis(5), id: EventId::new(Uuid::nil()) };
    assert_eq!(under_test.log.remove_before(end, 10).await.unwrap(), 2);
    assert_eq!(all(&under_test).await, []);
}
