//! M04: what is wrong with a query is told, all at once.

use esoz_tests::on_every_store;
use serde_json::json;

use super::Reader;

/// Two hours before the clock's time, as a query has it.
const TWO_HOURS_AGO: &str = "2026-01-31T06:16:30.123456Z";

on_every_store! {
    async fn m04_faults(kind) {
        let reader = Reader::new(kind).await;
        let secret = "0-what-is-sent-is-not-repeated";
        for (query, faults) in [
            ("?new_value=stopped", vec![("$.attribute_name", "required")]),
            ("?new_value=", vec![("$.attribute_name", "required")]),
            ("?date=2026-01-31T08:00:00Z&date_to=2026-01-31T08:00:00Z", vec![("$.date_to", "invalid")]),
            ("?date=2026-01-31T08:00:00Z&date_to=2026-01-31T07:59:59.999Z", vec![("$.date_to", "invalid")]),
            ("?date=2026-01-31T08:00:00Z&date_to=1999-01-31T08:00:00Z", vec![("$.date_to", "invalid")]),
            ("?date=2026-01-31", vec![("$.date", "datetime")]),
            ("?date=", vec![("$.date", "datetime")]),
            ("?date_to=now", vec![("$.date_to", "datetime")]),
            ("?date=2026-02-30T00:00:00Z", vec![("$.date", "datetime")]),
            // What is not encoded is a space.
            ("?date=2026-01-31T08:00:00+02:00", vec![("$.date", "datetime")]),
            ("?date=2026-01-31+08:00:00", vec![("$.date", "datetime")]),
            ("?page=0", vec![("$.page", "number")]),
            ("?page=1000001", vec![("$.page", "number")]),
            ("?page=abc", vec![("$.page", "cast")]),
            ("?page_size=0", vec![("$.page_size", "number")]),
            ("?page_size=301", vec![("$.page_size", "number")]),
            ("?page_size=", vec![("$.page_size", "cast")]),
            ("?entity_id=1", vec![("$.entity_id", "schema")]),
            (&format!("?{secret}=1"), vec![("$", "schema")]),
            (&format!("?date={secret}"), vec![("$.date", "datetime")]),
            ("?event_type=a&event_type=b", vec![("$.event_type", "schema")]),
            ("?attribute_name=a&attribute_name=b&new_value=c", vec![("$.attribute_name", "schema")]),
            (
                "?page=0&date=x&date_to=y&new_value=z&more=1&page_size=a",
                vec![
                    ("$.date", "datetime"),
                    ("$.date_to", "datetime"),
                    ("$.attribute_name", "required"),
                    ("$.page", "number"),
                    ("$.page_size", "cast"),
                    ("$.more", "schema"),
                ],
            ),
        ] {
            let answer = reader.get(query).await;
            answer.assert_query_faults(&faults);
            assert!(!answer.body["error"].to_string().contains(secret), "{query}");
        }
        let bounds = &reader.get("?page_size=301").await.body["error"]["invalid"][0]["rules"][0]["params"];
        assert_eq!(*bounds, json!(["1", "300"]));
    }

    async fn m04_more_than_the_period(kind) {
        let reader = Reader::new(kind).await;
        let message = "Period must be less than or equal to 1 hours. Please set allowed period to the query";
        for query in [
            &format!("?date={TWO_HOURS_AGO}&date_to=2026-01-31T08:16:30Z"),
            "?date=2026-01-31T07:16:30Z&date_to=2026-01-31T08:16:30.000000001Z",
        ] {
            reader.get(query).await.assert_query_fault(message, "$.date_to", "invalid", message);
        }
        assert_eq!(reader.get("?date=2026-01-31T07:16:30Z&date_to=2026-01-31T08:16:30Z").await.status, 200);
    }
}
