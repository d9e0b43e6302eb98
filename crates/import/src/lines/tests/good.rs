//! Good lines: every field gets to where it belongs.

use esoz_contract_division::{
    Contract, ContractDivision, ContractRecord, ContractStatus, ContractType, Division, DivisionRecord,
    DivisionStatus,
};
use esoz_device_dispense::{
    DeviceRequest, DeviceRequestRecord, DeviceRequestStatus, Dispense, DispenseStatus, OccurrencePeriod,
    RECORD, RequestedDevice, RequestedQuantity, VerificationCode,
};
use esoz_kernel::{CivilDate, UserId, Uuid};
use esoz_legal_entity::{LegalEntity, LegalEntityRecord, LegalEntityStatus, LegalEntityType};

use super::*;

#[test]
fn a_legal_entity_is_read() {
    let (fields, stamps) = given_stamps();
    let expected = LegalEntityRecord {
        facts: LegalEntity {
            id: id(1),
            kind: LegalEntityType::new("PHARMACY"),
            status: LegalEntityStatus::Suspended,
        },
        name: "Аптека".to_owned(),
        edrpou: "12345678".to_owned(),
        is_active: true,
        stamps,
    };
    let data = with(&legal_entity(), |data| add(data, &fields));
    assert_eq!(parse("legal_entity", &data), Ok(Record::LegalEntity(expected)));
}

#[test]
fn a_division_is_read() {
    let expected = DivisionRecord {
        facts: Division { id: id(2), legal_entity: id(1), is_active: true },
        name: "Філія".to_owned(),
        kind: "CLINIC".to_owned(),
        status: DivisionStatus::Inactive,
        dls_verified: Some(false),
        stamps: default_stamps(),
    };
    assert_eq!(parse("division", &division()), Ok(Record::Division(expected.clone())));
    let unverified = DivisionRecord { dls_verified: None, ..expected };
    assert_eq!(parse("division", &without(&division(), "dls_verified")), Ok(Record::Division(unverified)));
}

#[test]
fn a_contract_is_read() {
    let expected = ContractRecord {
        facts: Contract { id: id(3), kind: ContractType::GbCbp, contractor: id(1), is_active: true },
        status: ContractStatus::Terminated,
        contract_number: "0000-1".to_owned(),
        start_date: "2026-01-01".parse().unwrap(),
        end_date: "2026-12-31".parse().unwrap(),
        is_suspended: false,
        stamps: default_stamps(),
    };
    assert_eq!(parse("contract", &contract()), Ok(Record::Contract(expected)));
}

#[test]
fn a_contract_division_is_read_and_stamps_that_are_null_are_the_default_ones() {
    let expected = ContractDivision {
        id: id(4),
        contract_id: id(3),
        division_id: id(2),
        is_active: false,
        stamps: Stamps { inserted_by: id(9), ..default_stamps() },
    };
    let data = with(&contract_division(), |data| {
        add(data, &json!({"inserted_at": null, "inserted_by": upper(9), "updated_by": null}));
    });
    assert_eq!(parse("contract_division", &data), Ok(Record::ContractDivision(expected)));
}

fn day(text: &str) -> CivilDate {
    text.parse().unwrap()
}

#[test]
fn a_device_request_is_read_with_all_that_it_can_have() {
    let (_, stamps) = given_stamps();
    let expected = DeviceRequestRecord {
        facts: DeviceRequest {
            id: id(6),
            subject: Pseudonym::new("P"),
            status: DeviceRequestStatus::Active,
            intent: "order".to_owned(),
            program: Some(id(14)),
            device: RequestedDevice::Definition(id(15)),
            quantity: Some(RequestedQuantity { value: "12.5".parse().unwrap(), code: "piece".to_owned() }),
            occurrence_period: Some(OccurrencePeriod { start: day("2026-01-01"), end: day("2026-01-31") }),
            dispense_valid_to: day("2026-03-31"),
            verification_code: VerificationCode::parse("0420"),
        },
        stamps: Stamps { inserted_at: time("2026-01-01T00:00:00.123Z"), ..stamps },
    };
    assert_eq!(parse("device_request", &full_device_request()), Ok(Record::DeviceRequest(expected)));
}

#[test]
fn a_device_request_is_read_with_what_it_must_have_in_every_status() {
    let now = time("2026-02-03T04:05:06.123Z");
    for status in DeviceRequestStatus::ALL {
        let expected = DeviceRequestRecord {
            facts: DeviceRequest {
                id: id(6),
                subject: Pseudonym::new("P"),
                status,
                intent: "order".to_owned(),
                program: None,
                device: RequestedDevice::Type("30221".to_owned()),
                quantity: None,
                occurrence_period: None,
                dispense_valid_to: day("2026-03-31"),
                verification_code: None,
            },
            stamps: Stamps { inserted_at: now, updated_at: now, ..default_stamps() },
        };
        let data = with(&device_request(), |data| data["status"] = json!(status.as_str()));
        assert_eq!(parse("device_request", &data), Ok(Record::DeviceRequest(expected)));
    }
}

fn read_dispense(data: &Value) -> Dispense {
    match parse("device_dispense", data) {
        Ok(Record::DeviceDispense(dispense)) => dispense,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_dispense_is_read_into_every_field_of_the_record() {
    let read = read_dispense(&full_dispense());
    assert_eq!((read.id, read.status, read.owner), (id(5), DispenseStatus::InProgress, id(13)));
    assert_eq!(read.subject, Pseudonym::new("P"));
    let mut fields: Vec<&str> = read.record.keys().map(String::as_str).collect();
    let mut expected: Vec<_> = RECORD.fields.iter().map(|field| field.name).collect();
    fields.sort_unstable();
    expected.sort_unstable();
    assert_eq!(fields, expected);
    assert_eq!(
        Value::Object(read.record),
        json!({
            "status": "in_progress",
            "status_reason": {"coding": [{"system": "some/codes", "code": "x"}], "text": "so"},
            "status_history": [
                {"status": "in_progress", "inserted_at": "2026-01-01T00:00:00.000Z", "inserted_by": lower(90)},
                {"status": "stopped", "status_reason": null, "inserted_at": "2026-01-01T00:00:00.999Z", "inserted_by": lower(91)},
            ],
            "based_on": stored_reference("device_request", 10), "performer": stored_reference("employee", 11),
            "location": stored_reference("division", 12), "performer_legal_entity": stored_reference("legal_entity", 13),
            "program": stored_reference("medical_program", 14),
            "primary_source": true, "when_handed_over": "2026-01-01T08:00:00.000Z", "note": null,
            "explanatory_letter": "Лист",
            "details": [{
                "device": stored_reference("device_definition", 15), "device_code": null, "quantity": quantity(),
                "program_device": {"any": ["thing"]}, "sell_price": 10.05, "discount_amount": 0, "reimbursement_amount": 10,
            }],
            "payment_id": "p", "payment_amount": 1e3, "part_of": {"any": 1}, "encounter": {"any": 2}, "context_episode_id": "e",
            "origin_episode_id": null, "supporting_info": [1, {"a": null}], "external_provider": {}, "report_origin": [],
            "signed_content_links": ["link"],
            "inserted_at": "2026-01-01T00:00:00.123Z", "inserted_by": lower(90),
            "updated_at": "2026-01-02T00:00:00.000Z", "updated_by": lower(91),
        })
    );
}

#[test]
fn a_bare_dispense_gets_no_fields_but_history_and_stamps() {
    let read = read_dispense(&dispense());
    let nobody = SYSTEM_USER.to_string();
    assert_eq!(nobody, Uuid::nil().to_string());
    assert_eq!(
        Value::Object(read.record),
        json!({
            "status": "in_progress", "status_history": [],
            "based_on": stored_reference("device_request", 10), "performer": stored_reference("employee", 11),
            "location": stored_reference("division", 12), "performer_legal_entity": stored_reference("legal_entity", 13),
            "details": [{"device_code": concept(), "quantity": quantity()}],
            "inserted_at": "2026-02-03T04:05:06.123Z", "inserted_by": nobody,
            "updated_at": "2026-02-03T04:05:06.123Z", "updated_by": nobody,
        })
    );
}

#[test]
fn the_first_and_the_last_time_that_can_be_said_are_read() {
    for (text, stored) in [
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
        ("0000-01-01T02:00:00+02:00", "0000-01-01T00:00:00.000Z"),
        ("9999-12-30T22:00:01Z", "9999-12-30T22:00:01.000Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        ("9999-12-31T21:59:59.9999-02:00", "9999-12-31T23:59:59.999Z"),
    ] {
        let data = with(&full_dispense(), |data| {
            for pointer in
                ["/when_handed_over", "/inserted_at", "/updated_at", "/status_history/0/inserted_at"]
            {
                *data.pointer_mut(pointer).unwrap() = json!(text);
            }
        });
        let record = read_dispense(&data).record;
        for field in ["when_handed_over", "inserted_at", "updated_at"] {
            assert_eq!(record[field], json!(stored), "{text}");
        }
        assert_eq!(record["status_history"][0]["inserted_at"], json!(stored), "{text}");
        let data =
            with(&contract_division(), |data| add(data, &json!({"inserted_at": text, "updated_at": text})));
        let Ok(Record::ContractDivision(read)) = parse("contract_division", &data) else { panic!("{text}") };
        assert_eq!(read.stamps.inserted_at, esoz_kernel::time::to_micros(time(text)), "{text}");
    }
}

#[test]
fn every_status_of_the_model_can_be_loaded() {
    for status in DispenseStatus::ALL {
        let read = read_dispense(&with(&dispense(), |data| data["status"] = json!(status.as_str())));
        assert_eq!((read.status, &read.record["status"]), (status, &json!(status.as_str())));
    }
}

#[test]
fn texts_of_a_reference_are_kept() {
    let data = with(&dispense(), |data| {
        data["performer"]["display_value"] = json!("Лікар");
        data["performer"]["identifier"]["type"]["text"] = json!(null);
    });
    let performer = &read_dispense(&data).record["performer"];
    assert_eq!(performer["display_value"], json!("Лікар"));
    assert_eq!(performer["identifier"]["type"]["text"], json!(null));
}

#[test]
fn kinds_are_read_from_their_words() {
    for (kind, (word, data)) in RecordKind::ALL.into_iter().zip(every_kind()) {
        assert_eq!((kind.as_str(), word.parse(), kind.to_string().as_str()), (word, Ok(kind), word));
        assert_eq!(parse(word, &data).map(|record| record.kind()), Ok(kind));
    }
}

#[test]
fn the_system_user_is_nobody() {
    assert_eq!(SYSTEM_USER, UserId::new(Uuid::nil()));
}
