//! What is recorded.

use esoz_registries::Reimbursement;
use serde_json::json;

use super::fixture::{STRIPS, named, uuid};
use super::*;
use crate::DispenseStatus;

fn reference(code: &str, number: u128, name: Option<&str>) -> serde_json::Value {
    json!({
        "identifier": {
            "type": {"coding": [{"system": "eHealth/resources", "code": code}], "text": ""},
            "value": uuid(number).to_string(),
        },
        "display_value": name,
    })
}

#[test]
fn given_a_program_then_every_field_is_recorded() {
    let mut fixture = Fixture::new();
    fixture.facts.body.note = Some("Тричі на день".to_owned());
    fixture.facts.body.when_handed_over = "2026-01-31T10:15:30.1239+02:00".parse().ok();
    fixture.facts.body.performer.text = "as given".to_owned();
    fixture.facts.registries.program_devices[0].0.reimbursement =
        Reimbursement::Percentage("66.67".parse().unwrap());
    fixture.detail().sell_price = "50.05".parse().ok();
    let dispense = fixture.decide().unwrap();
    let (at, user) = ("2026-01-31T08:15:30.123Z", uuid(7).to_string());
    let mut performer = reference("employee", 4, Some("Шевченко Т. Г."));
    performer["identifier"]["type"]["text"] = "as given".into();
    let expected = json!({
        "status": "in_progress",
        "status_reason": null,
        "status_history": [{"status": "in_progress", "inserted_at": at, "inserted_by": user}],
        "based_on": reference("device_request", 6, None),
        "performer": performer,
        "location": reference("division", 5, Some("Аптека № 1")),
        "performer_legal_entity": reference("legal_entity", 2, Some("Аптека")),
        "program": reference("medical_program", 8, Some("Доступні ліки")),
        "primary_source": true,
        "when_handed_over": at,
        "note": "Тричі на день",
        "details": [{
            "device": reference("device_definition", 9, None),
            "quantity": {"value": 6, "system": "device_unit", "code": "piece", "unit": "шт"},
            "program_device": reference("program_device", 10, None),
            "sell_price": 50.05,
            "discount_amount": 60,
            // 33.368335
            "reimbursement_amount": 33.37,
        }],
        "inserted_at": at,
        "inserted_by": user,
        "updated_at": at,
        "updated_by": user,
    });
    assert_eq!(serde_json::Value::Object(dispense.record), expected);
    assert_eq!((dispense.id, dispense.status), (fixture.facts.body.id, DispenseStatus::InProgress));
    assert_eq!((dispense.subject, dispense.owner), (fixture.facts.subject, fixture.facts.owner));
}

#[test]
fn given_no_program_and_a_code_then_nothing_of_a_program_is_recorded() {
    let mut fixture = Fixture::new();
    (fixture.facts.body.program, fixture.request().program) = (None, None);
    fixture.detail().device =
        NewDevice::Code { system: "types".to_owned(), code: STRIPS.to_owned(), text: "t".to_owned() };
    (fixture.detail().sell_price, fixture.detail().discount_amount) = (None, None);
    let record = fixture.decide().unwrap().record;
    assert_eq!(
        record["details"],
        json!([{
            "device_code": {"coding": [{"system": "types", "code": STRIPS}], "text": "t"},
            "quantity": {"value": 6, "system": "device_unit", "code": "piece", "unit": "шт"},
        }])
    );
    for absent in ["program", "note", "when_handed_over"] {
        assert!(!record.contains_key(absent), "{absent}");
    }
}

#[test]
fn given_a_code_then_it_is_in_neither_record_nor_fingerprint_nor_debug() {
    let mut fixture = Fixture::new();
    fixture.request().verification_code = crate::VerificationCode::parse("9876");
    fixture.facts.body.verification_code = crate::VerificationCode::parse("9876");
    let recorded = serde_json::to_string(&fixture.decide().unwrap().record).unwrap();
    let fingerprint = String::from_utf8(fixture.facts.body.fingerprint()).unwrap();
    let shown = format!("{:?} {:?}", fixture.facts, fixture.found);
    for text in [&recorded, &fingerprint, &shown] {
        assert!(!text.contains("9876"), "{text}");
    }
    let with_code = fixture.facts.body.fingerprint();
    fixture.facts.body.verification_code = None;
    assert_eq!(fixture.facts.body.fingerprint(), with_code);
}

#[test]
fn given_another_request_then_its_fingerprint_is_another() {
    let base = Fixture::new().facts.body;
    let changes: [fn(&mut NewDispense); 12] = [
        |body| body.id = esoz_kernel::DispenseId::new(uuid(66)),
        |body| body.performer.text = "t".to_owned(),
        |body| body.location.id = esoz_kernel::DivisionId::new(uuid(66)),
        |body| body.based_on.id = esoz_kernel::DeviceRequestId::new(uuid(66)),
        |body| body.program = None,
        |body| body.primary_source = false,
        |body| body.note = Some(String::new()),
        |body| body.when_handed_over = "2026-01-31T08:15:30.123Z".parse().ok(),
        |body| body.details[0].quantity = 3.into(),
        |body| body.details[0].sell_price = None,
        |body| {
            let named = named(uuid(1));
            body.details[0].program_device = Some(AnyReference { code: "c".to_owned(), named });
        },
        |body| body.details.push(body.details[0].clone()),
    ];
    let mut seen = vec![base.fingerprint()];
    for change in changes {
        let mut body = base.clone();
        change(&mut body);
        let fingerprint = body.fingerprint();
        assert!(!seen.contains(&fingerprint));
        seen.push(fingerprint);
    }
}
