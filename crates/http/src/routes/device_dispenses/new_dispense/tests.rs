use actix_web::http::StatusCode;
use esoz_kernel::{RequestId, Timestamp, Uuid};
use serde_json::json;

use super::*;
use crate::context::RequestContext;

const ID: &str = "aff00bf6-68bf-4b49-b66d-f031d48922b3";

fn reference(code: &str) -> Value {
    json!({"identifier": {"type": {"coding": [{"system": "eHealth/resources", "code": code}], "text": "t"}, "value": ID}})
}

/// A body with everything in it.
fn body() -> Value {
    json!({
        "id": ID.to_uppercase(),
        "status": "in_progress",
        "performer": reference("employee"),
        "location": reference("division"),
        "based_on": reference("device_request"),
        "program": reference("medical_program"),
        "primary_source": false,
        "note": "n".repeat(3_000),
        "when_handed_over": "2026-01-31T10:15:30+02:00",
        "verification_code": "0420",
        "details": [
            {
                "device": reference("device_definition"),
                "quantity": {"value": 1.125, "system": "device_unit", "code": "piece"},
                "program_device": reference("program_device"),
                "sell_price": 100.5,
                "discount_amount": 0,
            },
            {
                "device_code": {"coding": [{"system": "s", "code": "c"}], "text": "t"},
                "quantity": {"value": 999_999_999_999u64, "system": "device_unit", "code": "piece"},
            },
        ],
    })
}

fn parse_value(body: &Value) -> Result<NewDispense, ApiError> {
    parse(body.to_string().as_bytes(), None, &|code| code == "piece")
}

/// The entry and the rule of each fault.
fn faults(bytes: &[u8]) -> Vec<(String, String)> {
    let error = parse(bytes, None, &|code| code == "piece").unwrap_err();
    let context = RequestContext::new(RequestId::from_uuid(Uuid::nil()), String::new());
    assert_eq!(error.respond(&context).status(), StatusCode::UNPROCESSABLE_ENTITY);
    error.invalid_entries()
}

fn faults_of(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
    let mut body = body();
    change(&mut body);
    faults(body.to_string().as_bytes())
}

fn fault(entry: &str, rule: &str) -> Vec<(String, String)> {
    vec![(entry.to_owned(), rule.to_owned())]
}

#[test]
fn a_body_is_read_as_it_is() {
    let dispense = parse_value(&body()).unwrap();
    let id: Uuid = ID.parse().unwrap();
    assert_eq!(
        (dispense.id.uuid(), dispense.performer.id.uuid(), dispense.performer.text.as_str()),
        (id, id, "t")
    );
    assert_eq!(dispense.when_handed_over, "2026-01-31T08:15:30Z".parse::<Timestamp>().ok());
    assert_eq!(
        (dispense.primary_source, dispense.verification_code),
        (false, VerificationCode::parse("0420"))
    );
    let [by_reference, by_code] = dispense.details.as_slice() else { unreachable!() };
    assert_eq!(by_reference.device.definition().map(esoz_kernel::DeviceDefinitionId::uuid), Some(id));
    assert_eq!(by_reference.quantity.to_string(), "1.125");
    assert_eq!(by_reference.discount_amount, Some(0.into()));
    let NewDevice::Code { system, code, text } = &by_code.device else { unreachable!() };
    assert_eq!((system.as_str(), code.as_str(), text.as_str()), ("s", "c", "t"));
    assert_eq!((by_code.sell_price.clone(), by_code.program_device.clone()), (None, None));
}

#[test]
fn what_is_optional_may_be_left_out() {
    let mut sparse = body();
    let fields = sparse.as_object_mut().unwrap();
    for name in ["program", "primary_source", "note", "when_handed_over", "verification_code"] {
        fields.remove(name);
    }
    let dispense = parse_value(&sparse).unwrap();
    assert!(dispense.primary_source);
    assert_eq!((dispense.program, dispense.note, dispense.when_handed_over), (None, None, None));
}

#[test]
fn everything_wanted_is_missed_at_once() {
    let missing = faults(b"{}").into_iter();
    let wanted = ["id", "status", "performer", "location", "based_on", "details"];
    assert_eq!(missing.collect::<Vec<_>>(), wanted.map(|name| (format!("$.{name}"), "required".to_owned())));
}

#[test]
fn null_is_no_absence() {
    let fields = body().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for name in fields {
        assert_eq!(
            faults_of(|body| body[&name] = Value::Null),
            fault(&format!("$.{name}"), "cast"),
            "{name}"
        );
    }
    for name in ["device", "quantity", "program_device", "sell_price", "discount_amount"] {
        let told = faults_of(|body| body["details"][0][name] = Value::Null);
        assert_eq!(told, fault(&format!("$.details[0].{name}"), "cast"), "{name}");
    }
}

#[test]
fn each_limit_is_told_where_it_is_broken() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str, &str); 19] = [
        (|body| body["id"] = "x".into(), "$.id", "format"),
        (|body| body["status"] = "completed".into(), "$.status", "inclusion"),
        (
            |body| body["performer"] = reference("division"),
            "$.performer.identifier.type.coding[0].code",
            "inclusion",
        ),
        (
            |body| body["based_on"]["identifier"]["type"]["coding"][0]["system"] = "x".into(),
            "$.based_on.identifier.type.coding[0].system",
            "inclusion",
        ),
        (|body| body["location"]["identifier"]["value"] = 1.into(), "$.location.identifier.value", "cast"),
        (|body| body["location"]["display_value"] = "x".into(), "$.location.display_value", "schema"),
        (
            |body| body["performer"]["identifier"]["type"]["coding"] = json!([]),
            "$.performer.identifier.type.coding",
            "length",
        ),
        (|body| body["note"] = "n".repeat(3_001).into(), "$.note", "length"),
        (|body| body["when_handed_over"] = "2026-01-31".into(), "$.when_handed_over", "datetime"),
        (|body| body["verification_code"] = "12345".into(), "$.verification_code", "format"),
        (|body| body["details"] = json!([]), "$.details", "length"),
        (|body| body["details"] = vec![body["details"][0].clone(); 101].into(), "$.details", "length"),
        (|body| body["details"][1]["quantity"]["value"] = 0.into(), "$.details[1].quantity.value", "number"),
        (
            |body| body["details"][1]["quantity"]["value"] = json!(1.0005),
            "$.details[1].quantity.value",
            "number",
        ),
        (
            |body| body["details"][1]["quantity"]["value"] = json!(1e12),
            "$.details[1].quantity.value",
            "number",
        ),
        (
            |body| body["details"][1]["quantity"]["code"] = "ml".into(),
            "$.details[1].quantity.code",
            "inclusion",
        ),
        (|body| body["details"][1]["quantity"]["unit"] = "шт".into(), "$.details[1].quantity.unit", "schema"),
        (|body| body["details"][0]["sell_price"] = json!(0.005), "$.details[0].sell_price", "number"),
        (
            |body| body["details"][0]["discount_amount"] = json!(-0.01),
            "$.details[0].discount_amount",
            "number",
        ),
    ];
    for (change, entry, rule) in cases {
        assert_eq!(faults_of(change), fault(entry, rule), "{entry}");
    }
}

#[test]
fn a_device_is_given_in_one_way() {
    let neither = faults_of(|body| drop(body["details"][0].as_object_mut().unwrap().remove("device")));
    let both = faults_of(|body| body["details"][1]["device"] = reference("device_definition"));
    assert_eq!((neither, both), (fault("$.details[0]", "schema"), fault("$.details[1]", "schema")));
}

#[test]
fn names_that_the_client_made_up_are_not_repeated() {
    let told = faults_of(|body| body["details"][0]["Canary 1"] = 1.into());
    assert_eq!(told, fault("$.details[0]", "schema"));
    assert_eq!(faults_of(|body| body["more"] = 1.into()), fault("$.more", "schema"));
}

#[test]
fn the_patients_id_is_refused_wherever_it_stands() {
    let patient: PatientId = ID.parse().unwrap();
    let told = |body: Value| {
        let told =
            parse(body.to_string().as_bytes(), Some(patient), &|_| true).unwrap_err().invalid_entries();
        let mut entries: Vec<String> = told.into_iter().map(|(entry, _)| entry).collect();
        entries.sort();
        entries
    };
    let mut of_another = body();
    for name in ["performer", "location", "based_on", "program"] {
        of_another[name]["identifier"]["value"] = "0d7f6d8e-2f1a-4f6c-9f0b-3f8f2b6f7a51".into();
    }
    of_another["note"] = format!("see {}", ID.replace('-', "").to_uppercase()).into();
    of_another["performer"]["identifier"]["type"]["text"] = ID.into();
    assert_eq!(told(of_another), ["$.details", "$.id", "$.note", "$.performer"]);
}

#[test]
fn a_number_that_would_be_rounded_is_refused_and_so_is_a_field_twice() {
    let text = body().to_string().replace("100.5", "100.500000000000000001");
    assert_eq!(faults(text.as_bytes()), fault("$.details[0].sell_price", "number"));
    let twice = body().to_string().replacen('{', r#"{"id":1,"#, 1);
    assert!(parse(twice.as_bytes(), None, &|_| true).unwrap_err().invalid_entries().is_empty());
    assert_eq!(faults(b"[]"), fault("$", "schema"));
}

#[test]
fn the_description_takes_what_is_taken_and_refuses_what_is_refused() {
    let description: Value = serde_json::from_str(&crate::openapi().unwrap()).unwrap();
    let schema =
        json!({"$ref": "#/components/schemas/NewDeviceDispense", "components": description["components"]});
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(
        validator.is_valid(&body()),
        "{:?}",
        validator.iter_errors(&body()).map(|e| e.to_string()).collect::<Vec<_>>()
    );
    let changes: [fn(&mut Value); 5] = [
        |body| body["status"] = "completed".into(),
        |body| body["more"] = 1.into(),
        |body| body["details"][0]["sell_price"] = json!(-1),
        |body| body["details"][1]["device"] = reference("device_definition"),
        |body| body["performer"] = reference("division"),
    ];
    for change in changes {
        let mut body = body();
        change(&mut body);
        assert!(!validator.is_valid(&body), "{body}");
    }
}
