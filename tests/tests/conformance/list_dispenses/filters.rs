//! L03 to L05 and the spellings of L08: each filter finds what has its value.

use esoz_device_dispense::{DispenseStatus, SEARCH_PARAMETERS, SearchKind};
use esoz_kernel::LegalEntityId;
use esoz_kernel::time::rfc3339_millis;
use esoz_testkit::builders::{DispenseBuilder, at_millis, concept, fresh, reference};
use esoz_tests::on_every_store;
use serde_json::{Value, json};

use super::{Reader, ids};

fn at(millis: i64) -> String {
    rfc3339_millis(at_millis(millis))
}

/// A value for each search parameter, and a field of a dispense with it.
fn searched() -> Vec<(&'static str, String, &'static str, Value)> {
    let each = SEARCH_PARAMETERS.iter().map(|parameter| {
        let id = fresh().to_string();
        let text = if parameter.kind == SearchKind::Code { "30221 ї&=".to_owned() } else { id };
        let value = match parameter.name {
            "device" => json!([{"device": reference("device_definition", &text)}]),
            "device_code" => json!([{"device_code": concept("classification_type", &text)}]),
            _ if parameter.path.len() == 1 => json!(text),
            name => reference(name, &text),
        };
        (parameter.name, text, parameter.path[0], value)
    });
    each.collect()
}

/// Encodes a value of a query.
fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

on_every_store! {
    async fn l03_each_filter_alone_and_two_together(kind) {
        let reader = Reader::new(kind).await;
        for (name, text, field, value) in searched() {
            let one = reader.put(|another| another.field(field, value)).await;
            reader.assert_both(&format!("?{name}={}", encoded(&text)), &[&one]).await;
            reader.assert_both(&format!("?{name}={}&status=in_progress", encoded(&text)), &[&one]).await;
            reader.assert_both(&format!("?{name}={}&status=stopped", encoded(&text)), &[]).await;
        }
        let handed_over = reader.put(|another| another.field("when_handed_over", json!(at(90_000)))).await;
        let query = format!("?when_handed_over_from={}", at(90_000));
        reader.assert_both(&query, &[&handed_over]).await;
        let stopped = reader.put(|another| another.status(DispenseStatus::Stopped)).await;
        reader.assert_both("?status=stopped", &[&stopped]).await;
    }

    async fn l03_references_as_binary_and_as_text(kind) {
        let reader = Reader::new(kind).await;
        let by_id = searched().into_iter().filter(|(name, ..)| *name != "device_code");
        for (name, text, field, value) in by_id {
            let [as_put, lower, upper] =
                [reader.put(|one| one.field(field, value.clone())).await, reader.put(|one| one).await, reader.put(|one| one).await];
            reader.app.raw().set_field(lower.id, field, value.clone()).await;
            let in_upper: Value = serde_json::from_str(&value.to_string().replace(&text, &text.to_uppercase())).unwrap();
            reader.app.raw().set_field(upper.id, field, in_upper).await;
            for spelled in [&text, &text.to_uppercase()] {
                let answer = reader.list(&format!("?{name}={spelled}")).await;
                let mut expected = [&as_put, &lower, &upper].map(|one| one.id.to_string());
                expected.sort();
                assert_eq!(ids(&answer), expected, "{name}");
                assert_eq!(answer.body["paging"]["total_entries"], 3);
            }
        }
    }

    async fn l04_performer_legal_entity(kind) {
        let reader = Reader::new(kind).await;
        let foreign = reader.put(|foreign| foreign.owner(LegalEntityId::new(fresh()))).await;
        let own = reader.fixture.pharmacy.facts.id;
        reader.assert_both(&format!("?performer_legal_entity={own}"), &[&reader.fixture.dispense]).await;
        reader.assert_both(&format!("?performer_legal_entity={}", foreign.owner), &[]).await;
    }

    async fn l05_bounds(kind) {
        let reader = Reader::new(kind).await;
        for field in ["inserted_at", "when_handed_over"] {
            let put = async |millis| reader.put(|another| another.field(field, json!(at(millis)))).await;
            let (early, exact, late) = (put(99_999).await, put(100_000).await, put(100_001).await);
            for (from, to, expected) in [
                (at(100_000), at(100_000), vec![&exact]),
                (at(99_999), at(100_001), vec![&early, &exact, &late]),
                (at(100_001), at(200_000), vec![&late]),
                (at(100_001), at(99_999), vec![]),
            ] {
                reader.assert_both(&format!("?{field}_from={from}&{field}_to={to}"), &expected).await;
            }
            // Without an offset it is UTC; with one it is the same instant.
            let bare = at(100_000).trim_end_matches('Z').to_owned();
            let query = format!("?{field}_from={bare}&{field}_to={bare}%2B00:00");
            reader.assert_both(&query, &[&exact]).await;
        }
    }

    async fn l08_both_spellings_find_both(kind) {
        let reader = Reader::new(kind).await;
        let cancelled = |another: DispenseBuilder| another.status(DispenseStatus::Cancelled);
        let (one, other) = (reader.put(cancelled).await, reader.put(cancelled).await);
        reader.app.raw().set_field(other.id, "status", json!("canceled")).await;
        for spelled in ["cancelled", "canceled"] {
            reader.assert_both(&format!("?status={spelled}"), &[&one, &other]).await;
        }
    }
}
