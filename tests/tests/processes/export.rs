//! `esoz export`, and `esoz import` of what it wrote.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use esoz_device_dispense::{Dispense, PatientPseudonyms as _};
use esoz_kernel::PatientId;
use esoz_pseudonym::HmacSha256Pseudonyms;
use esoz_testkit::builders::{contract_division, dispense, fresh};
use esoz_tests::process::{command, esoz, esoz_with_input};
use esoz_tests::{
    Kind, PATIENT_KEY, Setup, StopFixture, TestApp, TestStores, UpdateFixture, change, on_every_store,
    update_path,
};
use serde_json::{Value, json};

use crate::environment;

type Variables = Vec<(String, String)>;

/// Dispenses to put beside those of a test, so that there are several pages.
const MANY: usize = 600;

/// An app on those stores with what a stop and what an update needs, and many dispenses of one patient.
async fn filled(kind: Kind, stores: TestStores) -> (TestApp, StopFixture, UpdateFixture, Vec<Dispense>) {
    let app = Setup::new(kind).start_on(stores).await;
    let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
    let many: Vec<Dispense> = (0..MANY).map(|_| stop.another(&app).build()).collect();
    app.stores.dispense_registry.put_dispenses(&many).await.unwrap();
    (app, stop, update, many)
}

/// Everything that is stored, exported without a complaint.
fn export(variables: &Variables) -> String {
    let exported = esoz(variables, &["export"]);
    exported.assert_success();
    assert!(!exported.stderr.contains("refused"), "{}", exported.stderr);
    exported.stdout
}

/// Fresh stores with what the lines say, taken without a bad line.
async fn imported(kind: Kind, lines: &str) -> TestStores {
    let stores = TestStores::fresh(kind).await;
    let imported =
        esoz_with_input(&environment(&stores), &["import", "--keep-unknown", "--pseudonymous", "-"], lines);
    imported.assert_success();
    stores
}

fn ids(lines: &str) -> Vec<(String, String)> {
    let id = |line| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["kind"].as_str().unwrap().to_owned(), line["data"]["id"].as_str().unwrap().to_owned())
    };
    lines.lines().map(id).collect()
}

on_every_store! {
    async fn an_export_is_imported_into_any_store_and_exported_the_same(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        let (app, stop, update, many) = filled(kind, stores).await;
        // What another system writes, at every level; texts that look like times and ids; numbers to the last digit; absent and null.
        let extra = json!({
            "of": ["another", "system", 1.5, null, {"inserted_at": "2026-01-31T10:15:30.1+02:00", "value": fresh().to_string().to_uppercase()}],
            "identifier": {"value": fresh().to_string().to_uppercase()}, "subject": "x", "esoz_x": 1, "patient_id": 7,
            "numbers": [0, -1, 9_007_199_254_740_993_i64, i64::MIN, 0.1, 2.0, 1e-300, 0.300_000_000_000_000_04],
        });
        let raw = app.raw();
        for (dispense, field, value) in [
            (&many[0], "extra", &extra), (&many[0], "nothing", &Value::Null), (&many[1], "part_of", &extra),
            (&many[2], "status", &json!("canceled")), (&many[3], "note", &Value::Null), (&many[3], "Інше поле", &json!({})),
        ] {
            raw.set_field(dispense.id, field, value.clone()).await;
        }
        assert_eq!(stop.stop(&app).await.status, 200);
        assert_eq!(update.update(&app).await.status, 200);

        let text = export(&variables);
        assert_eq!(ids(&text).iter().filter(|(kind, _)| kind == "device_dispense").count(), MANY + 1);
        let sqlite = imported(Kind::Sqlite, &text).await;
        assert_eq!(export(&environment(&sqlite)), text);
        let same_kind = imported(kind, &text).await;
        assert_eq!(export(&environment(&same_kind)), text);
        let mut sorted = ids(&text);
        sorted.dedup();
        assert_eq!(sorted, ids(&text));
        assert!(!text.contains("_outbox") && !text.contains("\"_id\""), "the store's own fields are exported");
    }

    async fn an_export_beside_stops_and_updates_has_no_bad_line(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        let (app, stop, update, many) = filled(kind, stores).await;
        let rival = contract_division(update.contracts[1].facts.id, update.divisions[1].facts.id);
        app.put_contract_division(&rival).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let exports = {
            let (variables, is_over) = (variables.clone(), is_over.clone());
            tokio::task::spawn_blocking(move || {
                let exports = [(); 4].map(|()| export(&variables));
                is_over.store(true, Ordering::Release);
                exports
            })
        };
        // One record leaves its pair, the other takes it, and so on; meanwhile dispenses are stopped.
        let mut pairs = [(0, 0), (1, 1)];
        let mut free = (0, 1);
        let mut stops = 0;
        for step in 0.. {
            if is_over.load(Ordering::Acquire) {
                break;
            }
            let place = step % 2;
            let path = update_path(&[update.record.id, rival.id][place].to_string());
            let body = change(&update.contracts[free.0], &update.divisions[free.1]);
            let answer = update.request_to(&app, &path).json(&body).send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            free = std::mem::replace(&mut pairs[place], free);
            if let Some(dispense) = many.get(step) {
                assert_eq!(stop.request_for(&app, dispense).send().await.status, 200);
                stops += 1;
            }
        }
        assert!(stops > 0, "nothing happened meanwhile");
        for text in exports.await.unwrap() {
            let all = ids(&text);
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "a record is exported twice");
            assert!(many.iter().all(|dispense| all.contains(&("device_dispense".to_owned(), dispense.id.to_string()))));
            imported(Kind::Sqlite, &text).await;
        }
    }

    async fn what_cannot_be_read_is_told_and_the_rest_is_exported(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        let (app, stop, _, many) = filled(kind, stores).await;
        app.raw().set_field(many[0].id, "status", json!("canary")).await;
        app.raw().set_field(many[1].id, "details", json!("canary")).await;
        let exported = esoz(&variables, &["export"]);
        let told = format!("not exported: corrupt data while reading device_dispenses, id {}: field status", many[0].id);
        exported.assert_failure(&told);
        exported.assert_failure(&format!("device_dispense {} is exported, but an import refuses its line: $.data.details: ", many[1].id));
        exported.assert_failure(&format!("device_dispense: {MANY} exported, 1 of them refused by an import; 1 unreadable\n"));
        exported.assert_failure("legal_entity: 2 exported\n");
        assert!(!exported.stderr.contains("canary"), "{}", exported.stderr);
        let all = ids(&exported.stdout);
        let has = |dispense: &Dispense| all.iter().any(|(_, id)| *id == dispense.id.to_string());
        assert!(!has(&many[0]) && many[1..].iter().all(has) && has(&stop.dispense));
    }

    async fn a_pseudonym_takes_the_place_of_a_patient_and_is_taken_when_that_is_asked_for(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        let (app, stop, ..) = filled(kind, stores).await;
        let text = esoz(&variables, &["export", "--kind", "device_dispense"]).assert_success().stdout.clone();
        let patient = stop.patient.uuid();
        for spelling in [patient.hyphenated().to_string(), patient.simple().to_string()] {
            assert!(!text.to_lowercase().contains(&spelling), "a patient is exported");
        }
        let pseudonym = HmacSha256Pseudonyms::try_new(PATIENT_KEY).unwrap().of(stop.patient);
        assert!(text.contains(&format!(r#""subject":"{}""#, pseudonym.expose())));

        let copy = TestStores::fresh(kind).await;
        let refused = esoz_with_input(&environment(&copy), &["import", "-"], &text);
        refused.assert_failure("$.data.subject: has a pseudonym in the place of patient_id; with --pseudonymous it is taken\n");
        assert!(!refused.stderr.contains(pseudonym.expose()), "a pseudonym is told");
        esoz_with_input(&environment(&copy), &["import", "--pseudonymous", "-"], &text).assert_success();
        // There the patient's dispense is found and can be stopped.
        let there = Setup::new(kind).start_on(copy).await;
        there.put_legal_entity(&stop.pharmacy).await;
        there.stores.credentials.add_token(&stop.stored_token).await.unwrap();
        assert_eq!(stop.stop(&there).await.status, 200);
        drop(app);
    }

    async fn a_pseudonym_that_tells_its_patient_is_exported_as_the_patient(kind) {
        let stores = TestStores::fresh(kind).await;
        let mut variables = stores.variables().to_vec();
        for (name, value) in [("PSEUDONYM", "aes-128-cbc"), ("KEY", "8grv872gt3trc92b"), ("IV", "99yBSYB*Y99yr932")] {
            variables.push((format!("ESOZ_PATIENT__{name}"), value.to_owned()));
        }
        let patient = PatientId::new(fresh()).uuid().to_string();
        let mut data = dispense().build().record;
        data.extend([("id".to_owned(), json!(fresh().to_string())), ("patient_id".to_owned(), json!(patient))]);
        let line = json!({"kind": "device_dispense", "data": data}).to_string();
        esoz_with_input(&variables, &["import", "-"], &line).assert_success();
        let text = export(&variables);
        assert!(text.contains(&format!(r#""patient_id":"{patient}""#)) && !text.contains("\"subject\""), "{text}");
        esoz_with_input(&variables, &["import", "-"], &text).assert_success();
    }

    async fn kinds_are_chosen_and_a_reader_that_has_enough_is_no_error(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        let (_app, ..) = filled(kind, stores).await;
        let some = esoz(&variables, &["export", "--kind", "contract", "--kind", "legal_entity"]);
        let kinds: Vec<String> = ids(&some.assert_success().stdout).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["legal_entity", "legal_entity", "contract", "contract"]);
        assert!(some.stderr.contains("legal_entity: 2 exported\ncontract: 2 exported\n"), "{}", some.stderr);
        let none = esoz(&variables, &["export", "--kind", "elephant"]);
        assert_eq!(none.status.code(), Some(2));
        assert!(none.stderr.contains("contract_division, person, party, employee, medical_program, device_definition, program_device, device_request, device_dispense"), "{}", none.stderr);

        let mut command = command(&variables, &["export"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with(r#"{"kind":"legal_entity""#), "{first}");
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        // It is quiet, and does not claim that everything is written.
        assert_eq!((told.as_str(), child.wait().unwrap().code()), ("", Some(1)));
    }
}
