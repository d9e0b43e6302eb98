//! Lines of an export: an import of them gives the same record, and an export of that the same line.

use esoz_device_dispense::Dispense;
use esoz_kernel::StoreErrorKind;
use esoz_pseudonym::{Aes128CbcPseudonyms, HmacDrfoDigests, HmacSha256Pseudonyms};
use proptest::prelude::*;

use super::*;
use crate::lines::write::{ExportLine, export_line};

pub(super) fn hmac() -> HmacSha256Pseudonyms {
    HmacSha256Pseudonyms::try_new("an hmac secret of 32 characters!").unwrap()
}

pub(super) fn aes() -> Aes128CbcPseudonyms {
    Aes128CbcPseudonyms::try_new("8grv872gt3trc92b", "99yBSYB*Y99yr932").unwrap()
}

pub(super) fn digests() -> HmacDrfoDigests {
    HmacDrfoDigests::try_new("an hmac secret of 32 characters!").unwrap()
}

/// Parses a line as an import does that takes all that an export writes.
pub(super) fn import(line: &str, pseudonyms: &dyn PatientPseudonyms) -> Result<Record, LineError> {
    let (unknown_fields, pseudonymous_lines) = (UnknownFields::Keep, PseudonymousLines::Accept);
    let now = time("2026-02-03T04:05:06.123456789Z");
    let drfo_digests = &digests();
    parse_line(line, &ImportContext { now, pseudonyms, drfo_digests, unknown_fields, pseudonymous_lines })
}

pub(super) fn line_of(kind: &str, data: &Value) -> String {
    json!({"kind": kind, "data": data}).to_string()
}

pub(super) fn export(record: &Record, pseudonyms: &dyn PatientPseudonyms) -> ExportLine {
    export_line(record, pseudonyms, &digests()).unwrap()
}

/// The line of a record that an import takes back unchanged.
#[track_caller]
pub(super) fn exported(record: &Record, pseudonyms: &dyn PatientPseudonyms) -> String {
    let ExportLine { text, refused } = export(record, pseudonyms);
    assert_eq!(refused, None, "{text}");
    assert_eq!(import(&text, pseudonyms).as_ref(), Ok(record), "{text}");
    text
}

fn full_record() -> Dispense {
    match import(&line_of("device_dispense", &full_dispense()), &hmac()).unwrap() {
        Record::DeviceDispense(dispense) => dispense,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_record_that_a_line_gave_gives_a_line_that_gives_it() {
    let (stamps, _) = given_stamps();
    let some = every_kind().into_iter().map(|(kind, data)| (kind, with(&data, |data| add(data, &stamps))));
    let full = ("device_dispense", full_dispense());
    let unverified = ("division", with(&division(), |data| data["dls_verified"] = Value::Null));
    let full_request = ("device_request", full_device_request());
    for (kind, data) in every_kind().into_iter().chain(some).chain([full, full_request, unverified]) {
        let pseudonyms: [&dyn PatientPseudonyms; 2] = [&hmac(), &aes()];
        for pseudonyms in pseudonyms {
            let record = import(&line_of(kind, &data), pseudonyms).unwrap();
            let text = exported(&record, pseudonyms);
            assert_eq!(exported(&import(&text, pseudonyms).unwrap(), pseudonyms), text);
        }
    }
}

#[test]
fn a_line_has_every_field_in_the_order_of_the_names() {
    let data = with(&contract_division(), |data| add(data, &given_stamps().0));
    let record = import(&line_of("contract_division", &data), &hmac()).unwrap();
    let expected = format!(
        r#"{{"kind":"contract_division","data":{{"contract_id":"{}","division_id":"{}","id":"{}","inserted_at":"2026-01-01T00:00:00.123456Z","inserted_by":"{}","is_active":false,"updated_at":"2026-01-02T00:00:00.000000Z","updated_by":"{}"}}}}"#,
        lower(3),
        lower(2),
        lower(4),
        lower(90),
        lower(91),
    );
    assert_eq!(exported(&record, &hmac()), expected);
}

#[test]
fn a_patient_is_exported_only_if_the_pseudonym_tells() {
    let schemes: [(&dyn PatientPseudonyms, _, _); 2] =
        [(&hmac(), "subject", "patient_id"), (&aes(), "patient_id", "subject")];
    for (pseudonyms, field, other) in schemes {
        for (kind, data) in [("device_dispense", dispense()), ("device_request", device_request())] {
            let text = exported(&import(&line_of(kind, &data), pseudonyms).unwrap(), pseudonyms);
            let line: Value = serde_json::from_str(&text).unwrap();
            assert!(line["data"].get(field).is_some() && line["data"].get(other).is_none(), "{text}");
            assert_eq!(text.contains(&PATIENT.to_lowercase()), field == "patient_id", "{text}");
        }
    }
}

#[test]
fn a_device_request_is_exported_with_the_pseudonym_and_taken_back_only_when_that_is_asked_for() {
    let record = import(&line_of("device_request", &full_device_request()), &hmac()).unwrap();
    let text = exported(&record, &hmac());
    let expected = json!({
        "id": lower(6), "subject": hmac().of(PATIENT.parse().unwrap()).expose(), "status": "active", "intent": "order",
        "program": lower(14), "code_reference": lower(15), "quantity": {"value": 12.5, "code": "piece"},
        "occurrence_period": {"start": "2026-01-01", "end": "2026-01-31"}, "dispense_valid_to": "2026-03-31",
        "verification_code": "0420", "inserted_at": "2026-01-01T00:00:00.123Z", "inserted_by": lower(90),
        "updated_at": "2026-01-02T00:00:00.000Z", "updated_by": lower(91),
    });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["data"], expected);
    let told = "$.data.subject: has a pseudonym in the place of patient_id; with --pseudonymous it is taken";
    assert_eq!(parse_text(&text).unwrap_err().to_string(), told);
    let both = with(&expected, |data| data["patient_id"] = json!(PATIENT));
    let refused = import(&line_of("device_request", &both), &hmac()).unwrap_err();
    assert_eq!(refused.to_string(), "$.data: must have either patient_id or subject, and not both");
}

#[test]
fn a_subject_that_is_no_pseudonym_is_not_exported_and_not_shown() {
    let odd = Dispense { subject: Pseudonym::new(PATIENT), ..full_record() };
    let id = odd.id.to_string();
    let error = export_line(&Record::DeviceDispense(odd), &hmac(), &digests()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    for part in ["device_dispenses", &id, "subject"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(!error.with_causes().contains(PATIENT), "{error}");
}

#[test]
fn what_an_import_refuses_is_exported_and_told() {
    let broken = |change: &dyn Fn(&mut Dispense)| {
        let mut dispense = full_record();
        change(&mut dispense);
        export(&Record::DeviceDispense(dispense), &hmac())
    };
    let set = |name: &'static str, value: Value| {
        move |dispense: &mut Dispense| drop(dispense.record.insert(name.to_owned(), value.clone()))
    };
    let remove = |name: &'static str| move |dispense: &mut Dispense| drop(dispense.record.remove(name));
    for (line, expected) in [
        (broken(&remove("details")), "$.data.details: is missing"),
        (broken(&remove("inserted_at")), "$.data.inserted_at: is missing"),
        (broken(&set("updated_by", Value::Null)), "$.data.updated_by: is missing"),
        (
            broken(&set("payment_amount", json!("canary"))),
            "$.data.payment_amount: is a string, expected a JSON number",
        ),
        (
            broken(&set("patient_id", json!("canary"))),
            "$.data.patient_id: has no place in a line, and is left out",
        ),
    ] {
        let refused = line.refused.map(|refused| refused.to_string());
        assert_eq!(refused.as_deref(), Some(expected), "{}", line.text);
        assert!(serde_json::from_str::<Value>(&line.text).is_ok(), "{}", line.text);
    }
    let left_out = broken(&set("patient_id", json!("canary"))).text;
    assert!(!left_out.contains("canary"), "{left_out}");
}

#[test]
fn a_pseudonym_is_taken_when_that_is_asked_for_and_only_in_the_form_of_the_scheme() {
    let pseudonym = hmac().of(PATIENT.parse().unwrap());
    let data = with(&without(&dispense(), "patient_id"), |data| data["subject"] = json!(pseudonym.expose()));
    match import(&line_of("device_dispense", &data), &hmac()) {
        Ok(Record::DeviceDispense(dispense)) => {
            assert_eq!(dispense.subject, pseudonym);
            assert!(!dispense.record.contains_key("subject"));
        }
        other => panic!("{other:?}"),
    }
    let told = "$.data.subject: has a pseudonym in the place of patient_id; with --pseudonymous it is taken";
    for unknown_fields in [UnknownFields::Refuse, UnknownFields::Keep] {
        let refused = parse_with(&line_of("device_dispense", &data), unknown_fields).unwrap_err();
        assert_eq!(refused.to_string(), told);
    }
    for (subject, expected) in [
        (json!(PATIENT), "$.data.subject: is not a pseudonym of the configured scheme"),
        (
            json!(pseudonym.expose().to_lowercase()),
            "$.data.subject: is not a pseudonym of the configured scheme",
        ),
        (json!(4711), "$.data.subject: is a number, expected a string"),
        (Value::Null, "$.data.patient_id: is missing"),
    ] {
        let data = with(&data, |data| data["subject"] = subject);
        let refused = import(&line_of("device_dispense", &data), &hmac()).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
    let both = with(&data, |data| data["patient_id"] = json!(PATIENT));
    let refused = import(&line_of("device_dispense", &both), &hmac()).unwrap_err();
    assert_eq!(refused.to_string(), "$.data: must have either patient_id or subject, and not both");
    assert!(import(&line_of("device_dispense", &dispense()), &hmac()).is_ok(), "a patient is taken as well");
}

#[test]
fn a_pseudonym_that_tells_its_patient_keeps_the_patient_out_of_other_fields() {
    let pseudonym = aes().of(PATIENT.parse().unwrap());
    let data = with(&without(&dispense(), "patient_id"), |data| {
        add(data, &json!({"subject": pseudonym.expose(), "note": PATIENT}));
    });
    let refused = import(&line_of("device_dispense", &data), &aes()).unwrap_err();
    assert_eq!(refused.to_string(), "$.data.note: holds the patient's id, which no store may hold");
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => any::<String>(),
        1 => any::<u128>().prop_map(|id| esoz_kernel::Uuid::from_u128(id).to_string().to_uppercase()),
        1 => any::<i32>().prop_map(|seconds| {
            Timestamp::from_second(i64::from(seconds)).map_or_else(|_| String::new(), |time| time.to_string())
        }),
    ]
}

fn jsons() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let names = prop_oneof![
            "[a-z_. ї]{1,8}",
            prop::sample::select(vec![
                "value",
                "inserted_at",
                "identifier",
                "status",
                "updated_by",
                "subject"
            ])
            .prop_map(str::to_owned),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_others_stored_is_exported_so_that_it_comes_back_and_is_exported_the_same(
        fields in prop::collection::vec((prop::sample::select(vec!["part_of", "supporting_info", "encounter", "extra", "more extra", "note"]), jsons()), 0..5)
    ) {
        let mut dispense = full_record();
        dispense.record.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let ExportLine { text, refused } = export(&Record::DeviceDispense(dispense.clone()), &hmac());
        if dispense.record["note"].is_string() || dispense.record["note"].is_null() {
            prop_assert_eq!(refused, None, "{}", text);
            let imported = import(&text, &hmac()).unwrap();
            prop_assert_eq!(export(&imported, &hmac()).text, text);
        } else {
            prop_assert!(refused.is_some_and(|refused| refused.to_string().starts_with("$.data.note: is ")), "{}", text);
        }
    }
}
