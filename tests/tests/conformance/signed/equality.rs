//! J03: what was signed and what is stored.

use esoz_testkit::builders::{fresh, reference};
use esoz_tests::SignedAction::{Complete, MarkInError};
use esoz_tests::{Documents, SignedAction, SignedFixture, on_every_store};
use serde_json::{Value, json};

use super::{MISMATCH, assert_untouched};

type Edit = fn(&mut Value);

const EQUAL: [(&str, Edit); 10] = [
    ("10.0 for 10", |content| content["details"][0]["quantity"]["value"] = json!(2.0)),
    ("another way to write a price", |content| {
        content["details"][0]["sell_price"] = serde_json::from_str("1.0050e2").unwrap();
    }),
    ("a display value", |content| content["performer"]["display_value"] = json!("Інша назва")),
    ("a text", |content| content["location"]["identifier"]["type"]["text"] = json!("any")),
    ("upper case", |content| {
        for path in ["/id", "/subject/identifier/value", "/based_on/identifier/value", "/inserted_by"] {
            let id = content.pointer_mut(path).unwrap();
            *id = json!(id.as_str().unwrap().to_uppercase());
        }
    }),
    ("null for what is not compared", |content| {
        for name in ["inserted_at", "updated_at", "updated_by", "status_history", "signed_content_links"] {
            content[name] = Value::Null;
        }
    }),
    ("anything for what is not compared", |content| {
        for name in ["inserted_at", "updated_at", "updated_by", "context_episode_id", "origin_episode_id"] {
            content[name] = json!(["any"]);
        }
    }),
    ("null for what need not be there", |content| {
        for name in
            ["primary_source", "inserted_by", "part_of", "encounter", "supporting_info", "report_origin"]
        {
            content[name] = Value::Null;
        }
    }),
    ("null within", |content| content["details"][1]["sell_price"] = Value::Null),
    ("nothing but what must be there", |content| {
        let needed = [
            "id",
            "subject",
            "based_on",
            "program",
            "performer",
            "location",
            "performer_legal_entity",
            "details",
            "status",
            "status_reason",
            "when_handed_over",
            "payment_amount",
        ];
        content.as_object_mut().unwrap().retain(|name, _| needed.contains(&name.as_str()));
    }),
];

const DIFFERENT: [(&str, Edit); 21] = [
    ("another dispense", |content| content["id"] = json!(fresh().to_string())),
    ("no dispense", |content| content["id"] = Value::Null),
    ("another patient", |content| content["subject"] = reference("patient", fresh())),
    ("no patient", |content| content["subject"] = Value::Null),
    ("a subject that is no patient", |content| {
        content["subject"]["identifier"]["type"]["coding"][0]["code"] = json!("person");
    }),
    ("a subject with something more", |content| content["subject"]["identifier"]["assigner"] = json!("x")),
    ("another request", |content| content["based_on"] = reference("device_request", fresh())),
    ("no request", |content| content["based_on"] = Value::Null),
    ("no program", |content| content["program"] = Value::Null),
    ("another program", |content| content["program"] = reference("medical_program", fresh())),
    ("another performer", |content| content["performer"] = reference("employee", fresh())),
    ("no performer", |content| content["performer"] = Value::Null),
    ("no location", |content| content["location"] = Value::Null),
    ("no legal entity", |content| content["performer_legal_entity"] = Value::Null),
    ("no details", |content| content["details"] = Value::Null),
    ("one detail of two", |content| drop(content["details"].as_array_mut().unwrap().pop())),
    ("details in another order", |content| content["details"].as_array_mut().unwrap().reverse()),
    ("another price", |content| content["details"][0]["sell_price"] = json!(100.51)),
    ("a key more", |content| content["more"] = json!(1)),
    ("a key more within", |content| content["details"][0]["more"] = json!(1)),
    ("a field that is not shown", |content| content["esoz_keys"] = json!([])),
];

/// Those of fields that are free in a complete, or the other way round.
const DIFFERENT_TO: [(SignedAction, &str, Edit); 7] = [
    (Complete, "another letter", |content| content["explanatory_letter"] = json!("another")),
    (Complete, "a reason", |content| {
        content["status_reason"] = json!({"coding": [{"system": "s", "code": "c"}]});
    }),
    (MarkInError, "another note", |content| content["note"] = json!("another")),
    (MarkInError, "another time", |content| content["when_handed_over"] = json!("2026-01-31T08:15:00.124Z")),
    (MarkInError, "another payment", |content| content["payment_amount"] = json!(174.26)),
    (MarkInError, "another payment id", |content| content["payment_id"] = json!("pay-0002")),
    (MarkInError, "another author", |content| content["inserted_by"] = json!(fresh().to_string())),
];

on_every_store! {
    async fn j03_the_same_in_other_words(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for action in SignedAction::ALL {
            for (what, edit) in EQUAL {
                let fixture = SignedFixture::load(&app, &documents).await;
                let mut content = fixture.content(action);
                edit(&mut content);
                let answer = fixture.send(&app, action, &content).await;
                assert_eq!(answer.status, 200, "{what}: {:#}", answer.body);
                // What is stored stays as it is written there.
                let shown = fixture.base.shown(&fixture.base.dispense);
                for name in ["details", "performer", "location", "based_on", "inserted_by", "part_of"] {
                    assert_eq!(answer.body["data"][name], shown[name], "{what}");
                }
            }
        }
    }

    async fn j03_another_time_zone_for_the_same_instant(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let mut content = fixture.content(MarkInError);
        assert_eq!(content["when_handed_over"], "2026-01-31T08:15:00.123Z");
        content["when_handed_over"] = json!("2026-01-31T10:15:00.123+02:00");
        let answer = fixture.send(&app, MarkInError, &content).await;
        assert_eq!(answer.status, 200, "{:#}", answer.body);
        assert_eq!(answer.body["data"]["when_handed_over"], "2026-01-31T08:15:00.123Z");
    }

    async fn j03_anything_else(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut fixtures = Vec::new();
        let to_both = SignedAction::ALL.map(|action| DIFFERENT.map(|(what, edit)| (action, what, edit)));
        for (action, what, edit) in to_both.into_iter().flatten().chain(DIFFERENT_TO) {
            let fixture = SignedFixture::load(&app, &documents).await;
            let mut content = fixture.content(action);
            edit(&mut content);
            let answer = fixture.send(&app, action, &content).await;
            assert_eq!(answer.status, 422, "{what}: {:#}", answer.body);
            answer.assert_refused(&[MISMATCH]);
            fixtures.push(fixture);
        }
        assert_untouched(&app, &documents, &fixtures).await;
    }

    async fn j03_content_of_another_dispense_of_the_same_patient(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        let another = fixture.another().build();
        app.put_dispense(&another).await;
        for action in SignedAction::ALL {
            let content = fixture.content_of(action, &another);
            fixture.send(&app, action, &content).await.assert_refused(&[MISMATCH]);
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }
}
