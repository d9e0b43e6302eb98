//! M03: filters, periods and pages of the list.

use esoz_events::LoggedEvent;
use esoz_tests::{Setup, on_every_store};
use serde_json::Value;

use super::{Reader, at, ids, paging, shown, with_properties};

on_every_store! {
    async fn m03_filters(kind) {
        let reader = Reader::new(kind).await;
        let stopped = at(0);
        let other_type = LoggedEvent { event_type: "Подія".to_owned(), ..at(1) };
        let other_entity = LoggedEvent { entity_type: "Declaration".to_owned(), ..at(2) };
        let detail = with_properties(3, r#"{"detail.status":{"new_value":"stopped"}}"#);
        let flag = with_properties(4, r#"{"is_active":{"new_value":true},"status":{"new_value":"a b"}}"#);
        let nested = with_properties(5, r#"{"detail":{"status":{"new_value":"stopped"}}}"#);
        let all = [&stopped, &other_type, &other_entity, &detail, &flag, &nested];
        reader.put(&all.map(LoggedEvent::clone)).await;
        for (query, expected) in [
            ("", all.to_vec()),
            ("?event_type=StatusChangeEvent", vec![&stopped, &other_entity, &detail, &flag, &nested]),
            ("?event_type=%D0%9F%D0%BE%D0%B4%D1%96%D1%8F", vec![&other_type]),
            ("?event_type=unknown", vec![]),
            ("?event_type=", vec![]),
            ("?entity_type=Declaration", vec![&other_entity]),
            ("?entity_type=declaration", vec![]),
            ("?entity_type=Nothing%00", vec![]),
            ("?attribute_name=status", vec![&stopped, &other_type, &other_entity, &flag]),
            ("?attribute_name=detail.status", vec![&detail]),
            ("?attribute_name=detail.status&new_value=stopped", vec![&detail]),
            ("?attribute_name=detail", vec![&nested]),
            ("?attribute_name=is_active&new_value=true", vec![&flag]),
            ("?attribute_name=is_active&new_value=1", vec![]),
            ("?attribute_name=status&new_value=a+b", vec![&flag]),
            ("?attribute_name=status&new_value=a%20b", vec![&flag]),
            ("?attribute_name=status&new_value=", vec![]),
            ("?attribute_name=status&new_value=%00", vec![]),
            ("?attribute_name=status&new_value=stopped&entity_type=Declaration", vec![&other_entity]),
            ("?event_type=StatusChangeEvent&entity_type=DeviceDispense&attribute_name=status&new_value=stopped", vec![&stopped]),
        ] {
            let data: Vec<Value> = expected.iter().map(|event| shown(event)).collect();
            reader.get(query).await.assert_list(&data, &paging(1, 50, expected.len(), 1));
        }
    }

    async fn m03_periods(kind) {
        let reader = Reader::new(kind).await;
        // The clock's time in milliseconds is 60,000 after the zero of `at`.
        let (now, hour) = (60_000, 3_600_000);
        let events = [now - 2 * hour, now - hour - 1, now - hour, now - hour + 1, now - 1, now, now + 1].map(at);
        reader.put(&events).await;
        for (query, expected) in [
            // The clock stands 456 µs after `now`.
            ("", 3..6),
            ("?date=2026-01-31T07:16:30.123Z", 2..5),
            ("?date=2026-01-31T07:16:30.123456Z", 3..6),
            ("?date_to=2026-01-31T08:16:30.123Z", 2..5),
            ("?date_to=2026-01-31T08:16:30.124Z", 3..6),
            ("?date=2026-01-31T07:16:30.123Z&date_to=2026-01-31T08:16:30.123Z", 2..5),
            ("?date=2026-01-31T07:16:30.123&date_to=2026-01-31T07:16:30.124", 2..3),
            ("?date=2026-01-31T09:16:30.123%2B02:00&date_to=2026-01-31T09:16:30.124%2B02:00", 2..3),
            ("?date=2026-01-31T08:16:30.124Z", 6..7),
            ("?date_to=1999-01-01T00:00:00Z", 0..0),
        ] {
            assert_eq!(reader.ids(query).await, ids(&events[expected]), "{query}");
        }
    }

    async fn m03_the_longest_period_is_configured(kind) {
        let setup = Setup::new(kind).variable("ESOZ_EVENTS__LIST_MAX_PERIOD_HOURS", "3");
        let reader = Reader::on(setup.start().await).await;
        let events = [at(-7_200_000), at(0)];
        reader.put(&events).await;
        assert_eq!(reader.ids("").await, ids(&events));
        let query = "?date=2026-01-31T05:16:30Z&date_to=2026-01-31T08:16:30.001Z";
        let message = "Period must be less than or equal to 3 hours. Please set allowed period to the query";
        reader.get(query).await.assert_query_fault(message, "$.date_to", "invalid", message);
    }

    async fn m03_pages_in_order(kind) {
        let reader = Reader::new(kind).await;
        // Few distinct times, so that the id decides as well.
        let mut events: Vec<LoggedEvent> = (0..12).map(|place| at(place % 3)).collect();
        reader.put(&events).await;
        events.sort_by_key(LoggedEvent::position);
        for (page, range) in [(1, 0..5), (2, 5..10), (3, 10..12), (4, 12..12)] {
            let data: Vec<Value> = events[range].iter().map(shown).collect();
            reader.get(&format!("?page={page}&page_size=5")).await.assert_list(&data, &paging(page, 5, 12, 3));
        }
        assert_eq!(reader.ids("?page_size=300").await, ids(&events));
        let last = reader.get("?page=1000000").await;
        last.assert_list(&[], &paging(1_000_000, 50, 12, 1));
    }
}
