use bson::{RawDocumentBuf, bson};
use esoz_kernel::StoreErrorKind;

use super::*;
use crate::values::stored_forms;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn record() -> DeviceRequestRecord {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let day = |text: &str| text.parse::<CivilDate>().unwrap();
    DeviceRequestRecord {
        facts: DeviceRequest {
            id: DeviceRequestId::new(id(1)),
            subject: Pseudonym::new("P"),
            status: DeviceRequestStatus::Active,
            intent: DeviceRequest::ORDER.to_owned(),
            program: Some(MedicalProgramId::new(id(2))),
            device: RequestedDevice::Type("30221".to_owned()),
            quantity: Some(RequestedQuantity { value: "2.50".parse().unwrap(), code: "piece".to_owned() }),
            occurrence_period: Some(OccurrencePeriod { start: day("2026-01-01"), end: day("2026-02-01") }),
            dispense_valid_to: day("2026-03-01"),
            verification_code: VerificationCode::parse("0420"),
        },
        stamps: Stamps {
            inserted_at: at("2026-01-01T00:00:00.123Z"),
            inserted_by: UserId::new(id(3)),
            updated_at: at("2026-01-02T00:00:00.456Z"),
            updated_by: UserId::new(id(4)),
        },
    }
}

/// The document that the update of a record inserts.
fn stored(record: &DeviceRequestRecord) -> Document {
    let update = upsert(record);
    let mut document = doc! { ID: binary(record.facts.id.uuid()) };
    for part in ["$set", "$setOnInsert"] {
        document.extend(update.get_document(part).unwrap().clone());
    }
    document
}

fn read(document: &Document) -> Result<DeviceRequestRecord, StoreError> {
    to_record(&RawDocumentBuf::try_from(document).unwrap())
}

#[test]
fn a_request_is_read_as_it_was_stored() {
    let whole = record();
    let mut bare = record();
    bare.facts.program = None;
    bare.facts.device = RequestedDevice::Definition(DeviceDefinitionId::new(id(5)));
    (bare.facts.quantity, bare.facts.occurrence_period) = (None, None);
    bare.facts.verification_code = None;
    for record in [whole, bare] {
        assert_eq!(read(&stored(&record)).unwrap(), record);
    }
}

#[test]
fn the_update_removes_what_the_record_lacks() {
    let mut record = record();
    record.facts.quantity = None;
    let update = upsert(&record);
    let unset = update.get_document("$unset").unwrap();
    assert_eq!(unset.keys().collect::<Vec<_>>(), [CODE_REFERENCE, QUANTITY]);
}

#[test]
fn a_number_of_any_type_is_read_with_every_digit_and_a_long_one_is_stored_as_text() {
    let long: Decimal = "123456789012345678901234567890.123456789".parse().unwrap();
    for (stored_as, value) in [
        (bson!(2), "2"),
        (bson!(9_007_199_254_740_993_i64), "9007199254740993"),
        (bson!(2.5), "2.5"),
        (bson!("0.100"), "0.1"),
        (Bson::Decimal128("2.50".parse().unwrap()), "2.5"),
        (decimal(&long), "123456789012345678901234567890.123456789"),
    ] {
        let mut document = stored(&record());
        document.insert(QUANTITY, doc! { VALUE: stored_as, CODE: "piece" });
        let quantity = read(&document).unwrap().facts.quantity.unwrap();
        assert_eq!(quantity.value, value.parse().unwrap(), "{value}");
    }
    assert!(matches!(decimal(&long), Bson::String(_)));
    assert!(matches!(decimal(&"2.5".parse().unwrap()), Bson::Decimal128(_)));
}

#[test]
fn uuids_of_other_systems_are_read_in_every_form() {
    for form in stored_forms(Uuid::from_u128(0xabc)) {
        let mut document = stored(&record());
        document.insert(PROGRAM, form);
        let program = read(&document).unwrap().facts.program;
        assert_eq!(program, Some(MedicalProgramId::new(Uuid::from_u128(0xabc))));
    }
}

#[test]
fn what_no_rule_can_read_is_named() {
    let long = "1".repeat(31);
    for (field, value, named) in [
        (ID, bson!("x"), ID),
        (SUBJECT, Bson::Null, SUBJECT),
        (SUBJECT, bson!(["P"]), SUBJECT),
        (STATUS, bson!("Active"), STATUS),
        (STATUS, bson!(["active"]), STATUS),
        (STATUS, Bson::Symbol("active".to_owned()), STATUS),
        (INTENT, bson!(1), INTENT),
        (PROGRAM, bson!("Aff00bf6-68bf-4b49-b66d-f031d48922b3"), PROGRAM),
        (PROGRAM, bson!([binary(id(2))]), PROGRAM),
        (CODE, Bson::Null, CODE),
        (CODE, bson!(["30221"]), CODE),
        (CODE_REFERENCE, binary(id(5)), CODE_REFERENCE),
        (QUANTITY, bson!(2), QUANTITY),
        (QUANTITY, bson!([{ VALUE: 2, CODE: "piece" }]), QUANTITY),
        (QUANTITY, bson!({ VALUE: 0, CODE: "piece" }), QUANTITY_VALUE),
        (QUANTITY, bson!({ VALUE: -1, CODE: "piece" }), QUANTITY_VALUE),
        (QUANTITY, bson!({ VALUE: (f64::NAN), CODE: "piece" }), QUANTITY_VALUE),
        (QUANTITY, bson!({ VALUE: long, CODE: "piece" }), QUANTITY_VALUE),
        (QUANTITY, bson!({ VALUE: 1 }), QUANTITY_CODE),
        (OCCURRENCE_PERIOD, bson!({ PERIOD_START: "2026-01-01" }), OCCURRENCE_PERIOD),
        (DISPENSE_VALID_TO, bson!("20260301"), DISPENSE_VALID_TO),
        (DISPENSE_VALID_TO, bson!("2026-03-01T00:00:00"), DISPENSE_VALID_TO),
        (DISPENSE_VALID_TO, bson::DateTime::from_millis(0).into(), DISPENSE_VALID_TO),
        (VERIFICATION_CODE, bson!("420"), VERIFICATION_CODE),
        (VERIFICATION_CODE, bson!(4200), VERIFICATION_CODE),
        (INSERTED_AT, bson!("2026-01-01T00:00:00.123Z"), INSERTED_AT),
        (UPDATED_BY, bson!("nobody"), UPDATED_BY),
    ] {
        let mut document = stored(&record());
        document.insert(field, value);
        let error = read(&document).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let told = error.to_string();
        assert!(told.contains("reading device_requests, id "), "{told}");
        assert!(told.contains(&format!("field {named} holds")), "{field}: {told}");
    }
}

#[test]
fn wrong_codes_are_times_or_the_document_is_corrupt() {
    let read = |value: Option<Bson>| {
        let mut document = stored(&record());
        document.extend(value.map(|value| (WRONG_CODES.to_owned(), value)));
        wrong_codes(&RawDocumentBuf::try_from(&document).unwrap())
    };
    let time = bson::DateTime::from_millis(7);
    assert_eq!(read(None).unwrap(), []);
    assert_eq!(read(Some(bson!([time]))).unwrap(), [Timestamp::from_millisecond(7).unwrap()]);
    for value in [bson!("x"), bson!([1]), time.into()] {
        let error = read(Some(value)).unwrap_err();
        assert!(error.to_string().contains("field esoz_wrong_codes holds"), "{error}");
    }
}
