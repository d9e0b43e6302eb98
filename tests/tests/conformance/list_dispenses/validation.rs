//! L07 and L08: what is wrong with a query is told, all at once.

use esoz_tests::on_every_store;
use serde_json::json;

use super::Reader;

on_every_store! {
    async fn l07_page_faults(kind) {
        let reader = Reader::new(kind).await;
        for path in reader.paths() {
            for (query, fault) in [
                ("page=0", ("$.page", "number")),
                ("page=-1", ("$.page", "number")),
                ("page=1000001", ("$.page", "number")),
                ("page=abc", ("$.page", "cast")),
                ("page_size=0", ("$.page_size", "number")),
                ("page_size=301", ("$.page_size", "number")),
                ("page_size=1e2", ("$.page_size", "cast")),
            ] {
                reader.get(&format!("{path}?{query}")).await.assert_query_faults(&[fault]);
            }
            let answer = reader.get(&format!("{path}?page_size=301")).await;
            assert_eq!(answer.body["error"]["invalid"][0]["rules"][0]["params"], json!(["1", "300"]));
            assert_eq!(reader.get(&format!("{path}?page_size=300&page=1000000")).await.status, 200);
        }
    }

    async fn l08_filter_faults(kind) {
        let reader = Reader::new(kind).await;
        let secret = "0-what-is-sent-is-not-repeated";
        for path in reader.paths() {
            for (query, fault) in [
                (format!("status={secret}"), ("$.status", "inclusion")),
                ("status=".to_owned(), ("$.status", "inclusion")),
                ("status=Stopped".to_owned(), ("$.status", "inclusion")),
                (format!("based_on={secret}"), ("$.based_on", "format")),
                ("encounter=%7B29dc859e-37fa-481d-8526-e95ac7603%7D".to_owned(), ("$.encounter", "format")),
                ("performer_legal_entity=".to_owned(), ("$.performer_legal_entity", "format")),
                ("device_code=".to_owned(), ("$.device_code", "format")),
                ("inserted_at_from=yesterday".to_owned(), ("$.inserted_at_from", "datetime")),
                ("inserted_at_to=2026-01-31".to_owned(), ("$.inserted_at_to", "datetime")),
                ("when_handed_over_from=".to_owned(), ("$.when_handed_over_from", "datetime")),
                ("when_handed_over_to=2026-01-31T08:15:30+02:00".to_owned(), ("$.when_handed_over_to", "datetime")),
                ("when_handed_over_to=2026-01-31+08:15:30Z".to_owned(), ("$.when_handed_over_to", "datetime")),
                ("inserted_at=2026-01-31T08:15:30Z".to_owned(), ("$.inserted_at", "schema")),
                (format!("{secret}=1"), ("$", "schema")),
                ("status=stopped&status=stopped".to_owned(), ("$.status", "schema")),
            ] {
                let answer = reader.get(&format!("{path}?{query}")).await;
                answer.assert_query_faults(&[fault]);
                assert!(!answer.body["error"].to_string().contains(secret), "{query}");
            }
            let all = "?unknown=1&page=0&status=begun&device=1&page_size=x&location=1&location=2&inserted_at_from=now";
            reader.get(&format!("{path}{all}")).await.assert_query_faults(&[
                ("$.status", "inclusion"),
                ("$.inserted_at_from", "datetime"),
                ("$.location", "schema"),
                ("$.device", "format"),
                ("$.page", "number"),
                ("$.page_size", "cast"),
                ("$.unknown", "schema"),
            ]);
        }
        let told = reader.list("?status=begun").await;
        let known = &told.body["error"]["invalid"][0]["rules"][0]["params"];
        assert!(known.as_array().unwrap().contains(&json!("canceled")), "{known}");
    }
}
