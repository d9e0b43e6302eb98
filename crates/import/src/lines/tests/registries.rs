//! Lines of the administrative registries.

use esoz_kernel::{CivilDate, Decimal, StoreErrorKind};
use esoz_pseudonym::HmacDrfoDigests;
use esoz_registries::{
    DeviceDefinition, DeviceDefinitionRecord, Employee, EmployeeRecord, MedicalProgram, MedicalProgramRecord,
    Party, PartyRecord, Person, PersonRecord, PersonStatus, ProgramDevice, ProgramDeviceRecord,
    Reimbursement, VerificationStatus,
};

use super::bad::NO_NUMBER;
use super::export::{aes, digests, export, exported, hmac, import, line_of};
use super::*;
use crate::lines::write::export_line;

#[test]
fn given_a_line_of_each_registry_then_every_field_gets_to_where_it_belongs() {
    let (fields, stamps) = given_stamps();
    let day = |text: &str| -> CivilDate { text.parse().unwrap() };
    for (kind, data, expected) in [
        (
            "person",
            person(),
            Record::Person(PersonRecord {
                subject: Pseudonym::new("P"),
                facts: Person {
                    status: PersonStatus::Active,
                    verification: VerificationStatus::VerificationNotNeeded,
                },
                stamps,
            }),
        ),
        (
            "party",
            party(),
            Record::Party(PartyRecord {
                facts: Party { id: id(20), drfo: Some(DrfoDigest::new("digest of 3690004711")) },
                users: vec![id(90), id(91)],
                stamps,
            }),
        ),
        (
            "employee",
            employee(),
            Record::Employee(EmployeeRecord {
                facts: Employee {
                    id: id(21),
                    party: id(20),
                    legal_entity: id(1),
                    status: "APPROVED".to_owned(),
                    is_active: true,
                    end_date: Some(day("9999-12-31")),
                    name: "Олена Б.".to_owned(),
                },
                kind: "PHARMACIST".to_owned(),
                stamps,
            }),
        ),
        (
            "medical_program",
            medical_program(),
            Record::MedicalProgram(MedicalProgramRecord {
                id: id(22),
                facts: MedicalProgram { is_active: true, name: "Програма".to_owned() },
                kind: "DEVICE".to_owned(),
                stamps,
            }),
        ),
        (
            "device_definition",
            device_definition(),
            Record::DeviceDefinition(DeviceDefinitionRecord {
                facts: DeviceDefinition {
                    id: id(23),
                    is_active: true,
                    classification_type: "30221".to_owned(),
                    packaging_unit: "piece".to_owned(),
                    packaging_count: 50.into(),
                },
                name: "Смужки".to_owned(),
                stamps,
            }),
        ),
        (
            "program_device",
            program_device(),
            Record::ProgramDevice(ProgramDeviceRecord {
                facts: ProgramDevice {
                    id: id(24),
                    program: id(22),
                    device_definition: id(23),
                    is_active: true,
                    start_date: day("2026-01-01"),
                    end_date: Some(day("2026-12-31")),
                    reimbursement: Reimbursement::Fixed("100.07".parse().unwrap()),
                    max_daily_count: Some("0.5".parse().unwrap()),
                },
                stamps,
            }),
        ),
    ] {
        assert_eq!(parse(kind, &with(&data, |data| add(data, &fields))), Ok(expected), "{kind}");
    }
}

#[test]
fn given_a_line_without_what_it_may_lack_then_it_is_none() {
    for (kind, data, fields) in [
        ("party", party(), &["tax_id"][..]),
        ("employee", employee(), &["end_date"]),
        ("program_device", program_device(), &["end_date", "max_daily_count"]),
    ] {
        let absent = fields.iter().fold(data.clone(), |data, field| without(&data, field));
        let null = with(&data, |data| fields.iter().for_each(|field| data[*field] = Value::Null));
        let read = parse(kind, &absent).unwrap();
        assert_eq!(parse(kind, &null).as_ref(), Ok(&read), "{kind}");
        match read {
            Record::Party(record) => assert_eq!(record.facts.drfo, None),
            Record::Employee(record) => assert_eq!(record.facts.end_date, None),
            Record::ProgramDevice(ProgramDeviceRecord { facts, .. }) => {
                assert_eq!((facts.end_date, facts.max_daily_count), (None, None));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn given_a_person_then_the_patient_is_exported_only_if_the_pseudonym_tells() {
    let schemes: [(&dyn PatientPseudonyms, _, _); 2] =
        [(&hmac(), "subject", "id"), (&aes(), "id", "subject")];
    for (pseudonyms, field, other) in schemes {
        let text = exported(&import(&line_of("person", &person()), pseudonyms).unwrap(), pseudonyms);
        let line: Value = serde_json::from_str(&text).unwrap();
        assert!(line["data"].get(field).is_some() && line["data"].get(other).is_none(), "{text}");
        assert_eq!(text.contains(&PATIENT.to_lowercase()), field == "id", "{text}");
    }
}

#[test]
fn given_a_pseudonym_in_the_place_of_a_persons_id_then_it_is_taken_when_that_is_asked_for() {
    let pseudonym = hmac().of(PATIENT.parse().unwrap());
    let data = with(&without(&person(), "id"), |data| data["subject"] = json!(pseudonym.expose()));
    match import(&line_of("person", &data), &hmac()) {
        Ok(Record::Person(person)) => assert_eq!(person.subject, pseudonym),
        other => panic!("{other:?}"),
    }
    let told = "$.data.subject: has a pseudonym in the place of id; with --pseudonymous it is taken";
    assert_eq!(parse("person", &data).unwrap_err().to_string(), told);
    let both = with(&data, |data| data["id"] = json!(PATIENT));
    let refused = import(&line_of("person", &both), &hmac()).unwrap_err();
    assert_eq!(refused.to_string(), "$.data: must have either id or subject, and not both");
    let odd = with(&data, |data| data["subject"] = json!(PATIENT));
    let refused = import(&line_of("person", &odd), &hmac()).unwrap_err();
    assert_eq!(refused.to_string(), "$.data.subject: is not a pseudonym of the configured scheme");
}

#[test]
fn given_a_person_whose_subject_is_no_pseudonym_then_it_is_not_exported_and_not_shown() {
    let Ok(Record::Person(person)) = import(&line_of("person", &person()), &hmac()) else { panic!() };
    let odd = PersonRecord { subject: Pseudonym::new(PATIENT), ..person };
    let error = export_line(&Record::Person(odd), &hmac(), &digests()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(error.to_string().contains("persons") && error.to_string().contains("subject"), "{error}");
    assert!(!error.with_causes().contains(PATIENT), "{error}");
}

#[test]
fn given_a_taxpayer_number_then_its_digest_alone_is_exported_and_taken_back_when_that_is_asked_for() {
    let record = import(&line_of("party", &party()), &hmac()).unwrap();
    let text = exported(&record, &hmac());
    let Record::Party(PartyRecord { facts: Party { drfo: Some(digest), .. }, .. }) = &record else {
        panic!()
    };
    assert_eq!(*digest, digests().of(&Drfo::parse(TAX_ID).unwrap()));
    assert!(text.contains(&format!(r#""tax_id_digest":"{}""#, digest.expose())), "{text}");
    assert!(!text.contains("\"tax_id\"") && !text.contains("3690004711"), "{text}");

    let told = "$.data.tax_id_digest: has a digest in the place of tax_id; with --pseudonymous it is taken";
    assert_eq!(parse_text(&text).unwrap_err().to_string(), told);
    let data = serde_json::from_str::<Value>(&text).unwrap()["data"].take();
    let both = with(&data, |data| data["tax_id"] = json!(TAX_ID));
    let refused = import(&line_of("party", &both), &hmac()).unwrap_err();
    assert_eq!(refused.to_string(), "$.data: must have either tax_id or tax_id_digest, and not both");
    let pseudonym = hmac().of(PATIENT.parse().unwrap());
    for odd in [TAX_ID, "", pseudonym.expose()] {
        let odd = with(&data, |data| data["tax_id_digest"] = json!(odd));
        let refused = import(&line_of("party", &odd), &hmac()).unwrap_err();
        assert_eq!(refused.to_string(), "$.data.tax_id_digest: is not a digest of a taxpayer number");
    }
    // A party without a number is exported without one.
    let none = exported(&import(&line_of("party", &without(&party(), "tax_id")), &hmac()).unwrap(), &hmac());
    assert!(!none.contains("tax_id"), "{none}");
    assert!(
        HmacDrfoDigests::try_new("another secret of a test").unwrap().of(&Drfo::parse(TAX_ID).unwrap())
            != *digest
    );
}

#[test]
fn given_a_number_of_many_digits_then_it_is_exported_to_the_digit_or_told() {
    let with_count = |count: &str| {
        let read = import(&line_of("device_definition", &device_definition()), &hmac()).unwrap();
        let Record::DeviceDefinition(mut record) = read else { panic!() };
        record.facts.packaging_count = count.parse().unwrap();
        Record::DeviceDefinition(record)
    };
    for count in ["0.1", "0.0000001", "18446744073709551615", "1234567890.12", "300000000000000000000"] {
        let text = exported(&with_count(count), &hmac());
        let line: Value = serde_json::from_str(&text).unwrap();
        let written: Decimal = line["data"]["packaging_count"].to_string().parse().unwrap();
        assert_eq!(written.to_string(), count, "{text}");
    }
    // No line holds such a number as JSON does; what comes from elsewhere is told.
    let line = export(&with_count("0.1000000000000000000000000001"), &hmac());
    assert!(line.text.contains("\"0.1000000000000000000000000001\""), "{}", line.text);
    let refused = line.refused.unwrap().to_string();
    assert_eq!(refused, format!("$.data.packaging_count: {NO_NUMBER}"));
}
