//! N34: what a create records, and tells of it.

use std::collections::BTreeMap;

use esoz_device_dispense::VerificationCode;
use esoz_testkit::builders::{concept, device_definition, program_device_of, reference};
use esoz_tests::{Answer, CreateFixture, TestApp, given, on_every_store};
use serde_json::{Value, json};

use crate::NOW_MILLIS;

/// A reference as it is recorded: as it was given, with what the registries know.
fn named(given: &Value, name: Option<&str>) -> Value {
    json!({"identifier": given["identifier"], "display_value": name})
}

/// What a create of that body records and answers, details aside.
fn expected(fixture: &CreateFixture, body: &Value, details: Value) -> Value {
    let CreateFixture { records, patient, stored_token, .. } = fixture;
    let by = stored_token.user_id.to_string();
    let owner = &records.legal_entity;
    let mut record = json!({
        "id": body["id"],
        "status": "in_progress",
        "status_reason": null,
        "status_history": [{"status": "in_progress", "inserted_at": NOW_MILLIS, "inserted_by": by}],
        "subject": reference("patient", patient.uuid()),
        "based_on": named(&body["based_on"], None),
        "performer": named(&body["performer"], Some(&records.employee.facts.name)),
        "location": named(&body["location"], Some(&records.division.name)),
        "performer_legal_entity": named(&given("legal_entity", owner.facts.id), Some(&owner.name)),
        "primary_source": true,
        "details": details,
        "inserted_at": NOW_MILLIS,
        "inserted_by": by,
        "updated_at": NOW_MILLIS,
        "updated_by": by,
    });
    if let Some(program) = body.get("program") {
        record["program"] = named(program, Some(&records.program.facts.name));
    }
    record
}

/// A detail as it is recorded: as it was given, with the name of its unit, its program device and what is reimbursed.
fn detail(given: &Value, program_device: Option<Value>, reimbursed: Option<Value>) -> Value {
    let mut detail = given.clone();
    detail["quantity"]["unit"] = json!("шт");
    if let Some(device) = detail.get("device") {
        detail["device"] = named(device, None);
    }
    if let Some(device) = program_device {
        detail["program_device"] = named(&device, None);
    }
    if let Some(amount) = reimbursed {
        detail["reimbursement_amount"] = amount;
    }
    detail
}

/// The answer is that record, and so is what is shown and stored; the event tells of it.
async fn assert_recorded(app: &TestApp, fixture: &CreateFixture, answer: &Answer, record: &Value) {
    answer.assert_created(record);
    let id = record["id"].as_str().unwrap();
    let show = app.request(reqwest::Method::GET, &format!("{}/{id}", fixture.path())).token(&fixture.token);
    show.send().await.assert_data(record);

    let stored = app.stores.dispenses.find(id.parse().unwrap()).await.unwrap().unwrap().dispense.unwrap();
    assert_eq!(stored.subject, fixture.records.person.subject);
    assert_eq!(stored.owner, fixture.records.legal_entity.facts.id);
    let mut fields: BTreeMap<String, Value> = serde_json::from_value(record.clone()).unwrap();
    fields.retain(|name, _| name != "id" && name != "subject");
    assert_eq!(stored.record.clone().into_iter().collect::<BTreeMap<_, _>>(), fields);
    let document = app.raw().document(stored.id).await;
    assert_eq!(document.get("verification_code"), None);

    let events = app.events_of(&stored).await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    let expected = json!({
        "id": event.json["id"],
        "event_type": "StatusChangeEvent",
        "entity_type": "DeviceDispense",
        "entity_id": id,
        "properties": {"status": {"new_value": "in_progress"}},
        "event_time": record["inserted_at"],
        "changed_by": record["inserted_by"],
    });
    assert_eq!(event.json, expected);
    assert_eq!(event.request_id.as_deref(), Some(answer.request_id()));
}

on_every_store! {
    async fn n34_with_a_program_and_a_quantity(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let body = fixture.body();
        let answer = fixture.create(&app, &body).await;
        let device = given("program_device", fixture.records.device.facts.id);
        let details = json!([detail(&body["details"][0], Some(device), Some(json!(100)))]);
        assert_recorded(&app, &fixture, &answer, &expected(&fixture, &body, details)).await;
    }

    async fn n34_without_a_program_and_without_a_quantity(kind) {
        let app = TestApp::new(kind).await;
        let mut fixture = CreateFixture::new(&app);
        (fixture.request.facts.program, fixture.request.facts.quantity) = (None, None);
        fixture.store(&app).await;
        let mut body = fixture.body();
        body["details"][0].as_object_mut().unwrap().remove("sell_price");
        for _ in 0..2 {
            // Any number of them may be in progress.
            body["id"] = fixture.body()["id"].take();
            let answer = fixture.create(&app, &body).await;
            let details = json!([detail(&body["details"][0], None, None)]);
            assert_recorded(&app, &fixture, &answer, &expected(&fixture, &body, details)).await;
        }
    }

    async fn n34_everything_that_may_be_given_and_three_details(kind) {
        let app = TestApp::new(kind).await;
        let mut fixture = CreateFixture::new(&app);
        fixture.request.facts.quantity.as_mut().unwrap().value = 150.into();
        fixture.request.facts.verification_code = VerificationCode::parse("0420");
        let another = device_definition();
        let device = program_device_of(fixture.records.program.id, another.facts.id);
        fixture.definitions.push(another.clone());
        fixture.devices.push(device.clone());
        fixture.store(&app).await;

        let mut body = fixture.body();
        body["id"] = json!(body["id"].as_str().unwrap().to_uppercase());
        body["primary_source"] = json!(false);
        body["note"] = json!("Вручено особисто");
        body["when_handed_over"] = json!("2026-01-31T10:15:30.5+02:00");
        body["verification_code"] = json!("0420");
        body["performer"]["identifier"]["type"]["text"] = json!("Провізор");
        body["location"]["identifier"]["type"].as_object_mut().unwrap().remove("text");
        let named_device = given("program_device", fixture.records.device.facts.id);
        let mut details = [fixture.detail(50), fixture.detail(50), fixture.detail(50)];
        details[0]["device"] = given("device_definition", another.facts.id);
        details[0]["discount_amount"] = json!(0.01);
        details[1]["program_device"] = named_device.clone();
        details[2].as_object_mut().unwrap().remove("device");
        details[2]["device_code"] = concept("device_definition_classification_type", "30221");
        details[2]["program_device"] = named_device.clone();
        body["details"] = json!(details);
        let answer = fixture.create(&app, &body).await;

        body["id"] = json!(body["id"].as_str().unwrap().to_lowercase());
        body["location"]["identifier"]["type"]["text"] = json!("");
        let chosen = [given("program_device", device.facts.id), named_device.clone(), named_device];
        let details: Vec<Value> = details
            .iter()
            .zip(chosen)
            .map(|(given, device)| detail(given, Some(device), Some(json!(100))))
            .collect();
        let mut record = expected(&fixture, &body, json!(details));
        record["primary_source"] = json!(false);
        record["note"] = json!("Вручено особисто");
        record["when_handed_over"] = json!("2026-01-31T08:15:30.500Z");
        assert_recorded(&app, &fixture, &answer, &record).await;
    }
}
