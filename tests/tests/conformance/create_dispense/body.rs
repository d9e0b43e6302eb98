//! N03 and N38: the shape of the body.

use esoz_testkit::builders::concept;
use esoz_tests::{CreateFixture, TestApp, given, on_every_store};
use serde_json::{Value, json};

use super::assert_nothing_happened;
use super::cases::{detail, leave_out};

/// What must not be repeated.
const CANARY: &str = "Canary-7f3a";

type Change = fn(&mut Value);

const DETAIL: &str = "$.details[0]";

/// What makes a body a bad one, and its one fault.
const BAD: [(Change, &str, &str); 40] = [
    (|body| body["id"] = json!(CANARY), "$.id", "format"),
    (|body| body["id"] = json!(7), "$.id", "cast"),
    (|body| leave_out(body, "id"), "$.id", "required"),
    (|body| body["status"] = json!("completed"), "$.status", "inclusion"),
    (|body| body["status"] = json!(CANARY), "$.status", "inclusion"),
    (|body| leave_out(body, "performer"), "$.performer", "required"),
    (|body| code(body, "performer", "division"), "$.performer.identifier.type.coding[0].code", "inclusion"),
    (|body| code(body, "location", "employee"), "$.location.identifier.type.coding[0].code", "inclusion"),
    (|body| code(body, "based_on", CANARY), "$.based_on.identifier.type.coding[0].code", "inclusion"),
    (|body| code(body, "program", "program"), "$.program.identifier.type.coding[0].code", "inclusion"),
    (
        |body| body["performer"]["identifier"]["type"]["coding"][0]["system"] = json!(CANARY),
        "$.performer.identifier.type.coding[0].system",
        "inclusion",
    ),
    (
        |body| body["performer"]["identifier"]["type"]["coding"] = json!([]),
        "$.performer.identifier.type.coding",
        "length",
    ),
    (|body| body["location"]["identifier"]["value"] = json!(CANARY), "$.location.identifier.value", "format"),
    (|body| body["location"]["identifier"]["value"] = json!(7), "$.location.identifier.value", "cast"),
    (|body| body["location"]["display_value"] = json!(CANARY), "$.location.display_value", "schema"),
    (|body| body["location"]["display_value"] = Value::Null, "$.location.display_value", "schema"),
    (|body| body["primary_source"] = json!("true"), "$.primary_source", "cast"),
    (|body| body["note"] = json!("н".repeat(3_001)), "$.note", "length"),
    (|body| body["when_handed_over"] = json!(CANARY), "$.when_handed_over", "datetime"),
    (|body| body["verification_code"] = json!("12345"), "$.verification_code", "format"),
    (|body| body["verification_code"] = json!("12a4"), "$.verification_code", "format"),
    (|body| body["verification_code"] = json!(1234), "$.verification_code", "cast"),
    (|body| body["more"] = json!(CANARY), "$.more", "schema"),
    (|body| body["details"] = json!([]), "$.details", "length"),
    (|body| body["details"] = vec![body["details"][0].clone(); 101].into(), "$.details", "length"),
    (|body| leave_out(body, "details"), "$.details", "required"),
    (|body| leave_out(detail(body), "device"), DETAIL, "schema"),
    (|body| detail(body)["device_code"] = concept("x", "30221"), DETAIL, "schema"),
    (|body| leave_out(detail(body), "quantity"), "$.details[0].quantity", "required"),
    (|body| quantity(body, json!(0)), "$.details[0].quantity.value", "number"),
    (|body| quantity(body, json!(-1)), "$.details[0].quantity.value", "number"),
    (|body| quantity(body, json!(0.0005)), "$.details[0].quantity.value", "number"),
    (|body| quantity(body, json!(CANARY)), "$.details[0].quantity.value", "cast"),
    (|body| detail(body)["quantity"]["code"] = json!(CANARY), "$.details[0].quantity.code", "inclusion"),
    (|body| detail(body)["quantity"]["system"] = json!(CANARY), "$.details[0].quantity.system", "inclusion"),
    (|body| detail(body)["quantity"]["unit"] = json!("шт"), "$.details[0].quantity.unit", "schema"),
    (|body| detail(body)["sell_price"] = json!(0.005), "$.details[0].sell_price", "number"),
    (|body| detail(body)["sell_price"] = json!("150.5"), "$.details[0].sell_price", "cast"),
    (|body| detail(body)["discount_amount"] = json!(-0.01), "$.details[0].discount_amount", "number"),
    (|body| detail(body)["reimbursement_amount"] = json!(1), "$.details[0].reimbursement_amount", "schema"),
];

fn code(body: &mut Value, name: &str, code: &str) {
    body[name]["identifier"]["type"]["coding"][0]["code"] = json!(code);
}

fn quantity(body: &mut Value, value: Value) {
    detail(body)["quantity"]["value"] = value;
}

/// A body in which everything is given that may be.
fn full(fixture: &CreateFixture) -> Value {
    let mut body = fixture.body();
    body["primary_source"] = json!(true);
    body["note"] = json!("н".repeat(3_000));
    body["when_handed_over"] = json!("2026-01-31T10:15:30+02:00");
    body["verification_code"] = json!("1234");
    detail(&mut body)["program_device"] = given("program_device", fixture.records.device.facts.id);
    body
}

on_every_store! {
    async fn n03_and_n38_each_fault_alone(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        for (change, entry, rule) in BAD {
            let mut body = full(&fixture);
            change(&mut body);
            let answer = fixture.create(&app, &body).await;
            answer.assert_faults(&[(entry, rule)]);
            assert!(!answer.body.to_string().contains(CANARY), "{:#}", answer.body);
        }
        assert_nothing_happened(&app).await;
        assert_eq!(fixture.create(&app, &full(&fixture)).await.status, 201);
    }

    async fn n38_a_value_outside_an_enum_is_told_which_ones_there_are(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let mut body = full(&fixture);
        body["status"] = json!(CANARY);
        code(&mut body, "performer", CANARY);
        let answer = fixture.create(&app, &body).await;
        let invalid = answer.body["error"]["invalid"].as_array().unwrap();
        let params: Vec<_> = invalid.iter().map(|fault| &fault["rules"][0]["params"]).collect();
        assert_eq!(params, [&json!(["in_progress"]), &json!(["employee"])]);
    }

    async fn n38_null_is_no_absence(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let body = full(&fixture);
        for name in body.as_object().unwrap().keys() {
            let mut body = body.clone();
            body[name] = Value::Null;
            fixture.create(&app, &body).await.assert_faults(&[(&format!("$.{name}"), "cast")]);
        }
        for name in body["details"][0].as_object().unwrap().keys() {
            let mut body = body.clone();
            // Without a device there is another fault as well.
            if name != "device" {
                detail(&mut body)[name] = Value::Null;
                fixture.create(&app, &body).await.assert_faults(&[(&format!("$.details[0].{name}"), "cast")]);
            }
        }
        assert_nothing_happened(&app).await;
    }

    async fn n38_several_faults_at_once(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let wanted = ["id", "status", "performer", "location", "based_on", "details"].map(|name| format!("$.{name}"));
        let missing: Vec<(&str, &str)> = wanted.iter().map(|entry| (entry.as_str(), "required")).collect();
        fixture.create(&app, &json!({})).await.assert_faults(&missing);

        let mut body = full(&fixture);
        body["id"] = Value::Null;
        body["status"] = json!(CANARY);
        body["location"]["display_value"] = json!(CANARY);
        body["details"] = json!([fixture.detail(50), fixture.detail(50)]);
        body["details"][1]["quantity"]["value"] = json!(1.0005);
        body["details"][1]["sell_price"] = json!(CANARY);
        body["verification_code"] = json!(CANARY);
        body[CANARY] = json!(CANARY);
        let answer = fixture.create(&app, &body).await;
        let found = answer.body["error"]["invalid"].as_array().unwrap();
        let found = found.iter().map(|fault| fault["entry"].as_str().unwrap());
        let mut found: Vec<&str> = found.collect();
        found.sort_unstable();
        let expected = [
            "$",
            "$.details[1].quantity.value",
            "$.details[1].sell_price",
            "$.id",
            "$.location.display_value",
            "$.status",
            "$.verification_code",
        ];
        assert_eq!((answer.status.as_u16(), found.as_slice()), (422, expected.as_slice()), "{:#}", answer.body);
        assert!(!answer.body.to_string().contains(CANARY), "{:#}", answer.body);
        assert_nothing_happened(&app).await;
    }

    async fn n38_numbers_that_cannot_be_kept_are_told_with_the_other_faults(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let mut body = full(&fixture);
        body["status"] = json!(CANARY);
        detail(&mut body)["sell_price"] = json!("PRICE");
        quantity(&mut body, json!("QUANTITY"));
        let text = body.to_string().replace("\"PRICE\"", "1e400").replace("\"QUANTITY\"", "0.30000000000000000001");
        let answer = fixture.request(&app, &body).body(text).send().await;
        answer.assert_faults(&[
            ("$.details[0].quantity.value", "number"),
            ("$.details[0].sell_price", "number"),
            ("$.status", "inclusion"),
        ]);
        assert_nothing_happened(&app).await;
    }

    async fn n38_a_hundred_details(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let mut body = fixture.body();
        body["details"] = vec![fixture.detail(1); 100].into();
        for one in body["details"].as_array_mut().unwrap() {
            leave_out(one, "device");
            one["device_code"] = concept("device_definition_classification_type", "30221");
            one["device_code"]["text"] = json!("Голка".repeat(40));
        }
        // As a person may write it: more than other bodies may hold.
        let text = serde_json::to_string_pretty(&body).unwrap();
        assert!(text.len() > 65_536, "{}", text.len());
        let answer = fixture.request(&app, &body).body(text).send().await;
        assert_eq!(answer.status, 201, "{:#}", answer.body);
        assert_eq!(answer.body["data"]["details"].as_array().unwrap().len(), 100);
        fixture.show(&app, &body).await.assert_data(&answer.body["data"]);
    }
}
