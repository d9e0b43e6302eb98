//! The registries that a dispense rests on, imported and exported by the program.

use esoz_device_dispense::PatientPseudonyms as _;
use esoz_kernel::PatientId;
use esoz_pseudonym::{HmacDrfoDigests, HmacSha256Pseudonyms};
use esoz_registries::RegistryFacts;
use esoz_signed_content::{Drfo, DrfoDigests as _};
use esoz_testkit::builders::fresh;
use esoz_testkit::registries::RegistryFixture;
use esoz_tests::process::esoz_with_input;
use esoz_tests::{Kind, PATIENT_KEY, Setup, TestStores, on_every_store};
use serde_json::{Value, json};

use crate::environment;

const TAX_ID: &str = "3690004711";

/// A line of each registry, and of the legal entity and division that it refers to, behind what it refers to.
fn lines(fixture: &RegistryFixture, patient: PatientId) -> Vec<Value> {
    let line = |kind: &str, data: Value| json!({"kind": kind, "data": data});
    let (owner, party) = (fixture.legal_entity.facts.id.to_string(), fixture.party.facts.id.to_string());
    let (program, definition) = (fixture.program.id.to_string(), fixture.definition.facts.id.to_string());
    vec![
        line(
            "legal_entity",
            json!({
                "id": owner, "name": fixture.legal_entity.name, "edrpou": "1", "type": "PHARMACY", "status": "ACTIVE", "is_active": true,
            }),
        ),
        line(
            "division",
            json!({
                "id": fixture.division.facts.id.to_string(), "legal_entity_id": owner, "name": fixture.division.name, "type": "t",
                "status": "ACTIVE", "is_active": true, "dls_verified": true,
            }),
        ),
        line(
            "person",
            json!({
                "id": patient.uuid().to_string(), "status": "active", "verification_status": "VERIFIED",
            }),
        ),
        line("party", json!({"id": party, "tax_id": TAX_ID, "users": [fixture.user.to_string()]})),
        line(
            "employee",
            json!({
                "id": fixture.employee.facts.id.to_string(), "party_id": party, "legal_entity_id": owner, "type": "PHARMACIST",
                "status": "APPROVED", "is_active": true, "name": fixture.employee.facts.name,
            }),
        ),
        line(
            "medical_program",
            json!({
                "id": program, "name": fixture.program.facts.name, "type": "DEVICE", "is_active": true,
            }),
        ),
        line(
            "device_definition",
            json!({
                "id": definition, "name": "n", "is_active": true, "classification_type": "30221", "packaging_unit": "piece",
                "packaging_count": 50,
            }),
        ),
        line(
            "program_device",
            json!({
                "id": fixture.device.facts.id.to_string(), "program_id": program, "device_definition_id": definition, "is_active": true,
                "start_date": "2026-01-01", "end_date": "2026-12-31", "reimbursement": {"type": "FIXED", "amount": 100},
                "max_daily_count": 5,
            }),
        ),
    ]
}

fn text(lines: &[Value]) -> String {
    lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect()
}

/// The facts of the fixture, as a server finds them on those stores.
async fn facts(
    kind: Kind,
    stores: TestStores,
    fixture: &RegistryFixture,
    patient: PatientId,
) -> RegistryFacts {
    let app = Setup::new(kind).start_on(stores).await;
    let mut query = fixture.query();
    query.subject = HmacSha256Pseudonyms::try_new(PATIENT_KEY).unwrap().of(patient);
    app.stores.registries.facts(&query).await.unwrap()
}

fn expected(fixture: &RegistryFixture) -> RegistryFacts {
    let digests = HmacDrfoDigests::try_new(PATIENT_KEY).unwrap();
    let mut party = fixture.party.facts.clone();
    party.drfo = Drfo::parse(TAX_ID).map(|drfo| digests.of(&drfo));
    let definition = fixture.definition.facts.clone();
    RegistryFacts {
        person: Some(fixture.person.facts),
        party: Some(party),
        legal_entity_name: Some(fixture.legal_entity.name.clone()),
        performer: Some(fixture.employee.facts.clone()),
        location: Some(esoz_registries::Location {
            legal_entity: fixture.legal_entity.facts.id,
            is_active: true,
            is_in_use: true,
            is_dls_verified: Some(true),
            name: fixture.division.name.clone(),
        }),
        program: Some(fixture.program.facts.clone()),
        definitions: vec![definition.clone()],
        program_devices: vec![(fixture.device.facts.clone(), definition)],
    }
}

on_every_store! {
    async fn what_is_imported_is_found_and_exported_for_any_other_store(kind) {
        let stores = TestStores::fresh(kind).await;
        let (fixture, patient) = (RegistryFixture::build(), PatientId::new(fresh()));
        let imported = esoz_with_input(&environment(&stores), &["import", "-"], &text(&lines(&fixture, patient)));
        imported.assert_success();
        for kind in ["person", "party", "employee", "medical_program", "device_definition", "program_device"] {
            let told = format!("{kind}: 1 created, 0 updated, 0 kept");
            assert!(imported.stdout.contains(&told), "{}", imported.stdout);
        }
        let exported = esoz_with_input(&environment(&stores), &["export"], "");
        exported.assert_success();
        let exported = exported.stdout.clone();
        assert!(!exported.contains(TAX_ID) && !exported.contains(&patient.uuid().to_string()), "{exported}");
        assert_eq!(facts(kind, stores, &fixture, patient).await, expected(&fixture));

        let copy = TestStores::fresh(Kind::Sqlite).await;
        let refused = esoz_with_input(&environment(&copy), &["import", "-"], &exported);
        refused.assert_failure("$.data.subject: has a pseudonym in the place of id; with --pseudonymous it is taken");
        refused.assert_failure("$.data.tax_id_digest: has a digest in the place of tax_id; with --pseudonymous it is taken");
        esoz_with_input(&environment(&copy), &["import", "--pseudonymous", "-"], &exported).assert_success();
        assert_eq!(esoz_with_input(&environment(&copy), &["export"], "").stdout, exported);
        assert_eq!(facts(Kind::Sqlite, copy, &fixture, patient).await, expected(&fixture));
    }

    async fn what_is_refused_is_told_by_line_and_without_what_it_holds(kind) {
        let stores = TestStores::fresh(kind).await;
        let (fixture, patient) = (RegistryFixture::build(), PatientId::new(fresh()));
        let mut all = lines(&fixture, patient);
        // The employee and the program device lose what they refer to; another party wants the user.
        let (owner, program) = (all.remove(0), all.remove(4));
        assert_eq!((owner["kind"].as_str(), program["kind"].as_str()), (Some("legal_entity"), Some("medical_program")));
        let mut rival = all[2].clone();
        rival["data"]["id"] = json!(fresh().to_string());
        all.push(rival);
        let mut blank = all[2].clone();
        blank["data"]["tax_id"] = json!(["3690004711"]);
        all.push(blank);
        let finished = esoz_with_input(&environment(&stores), &["import", "-"], &text(&all));
        for told in [
            "line 1: its legal entity", "line 4: its", "legal entity", "line 6: its medical program", "line 7: ",
            "party", "line 8: $.data.tax_id: is an array, expected a string",
        ] {
            finished.assert_failure(told);
        }
        let everything = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!everything.contains(TAX_ID) && !everything.contains(&patient.uuid().to_string()), "{everything}");
    }

    async fn a_pseudonym_that_tells_its_patient_is_exported_as_the_person(kind) {
        let stores = TestStores::fresh(kind).await;
        let mut variables = stores.variables().to_vec();
        for (name, value) in [("PSEUDONYM", "aes-128-cbc"), ("KEY", "8grv872gt3trc92b"), ("IV", "99yBSYB*Y99yr932")] {
            variables.push((format!("ESOZ_PATIENT__{name}"), value.to_owned()));
        }
        let (fixture, patient) = (RegistryFixture::build(), PatientId::new(fresh()));
        esoz_with_input(&variables, &["import", "-"], &text(&lines(&fixture, patient))).assert_success();
        let exported = esoz_with_input(&variables, &["export", "--kind", "person", "--kind", "party"], "");
        exported.assert_success();
        let exported = exported.stdout.clone();
        assert!(exported.contains(&format!(r#""id":"{}""#, patient.uuid())), "{exported}");
        assert!(exported.contains("tax_id_digest") && !exported.contains(TAX_ID), "{exported}");
        let again = esoz_with_input(&variables, &["import", "--pseudonymous", "-"], &exported);
        again.assert_success();
        assert!(again.stdout.contains("person: 0 created, 0 updated, 1 kept"), "{}", again.stdout);
        assert!(again.stdout.contains("party: 0 created, 0 updated, 1 kept"), "{}", again.stdout);
    }
}
