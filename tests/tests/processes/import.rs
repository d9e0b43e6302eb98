//! What `esoz import` takes of a dispense, and what a store has of it then.

use std::time::Duration;

use esoz_import::ImportLimits;
use esoz_kernel::DispenseId;
use esoz_testkit::builders::{fresh, reference};
use esoz_tests::process::{Finished, esoz, esoz_with_input, esoz_with_pauses};
use esoz_tests::{Kind, TestStores, on_every_store};
use serde_json::{Value, json};

use crate::environment;

/// The data of a dispense with those fields beside what it must have.
fn data(id: DispenseId, fields: &Value) -> Value {
    let mut data = json!({
        "id": id.to_string(), "patient_id": fresh().to_string(), "status": "in_progress", "details": [],
        "based_on": reference("device_request", fresh()), "performer": reference("employee", fresh()),
        "location": reference("division", fresh()), "performer_legal_entity": reference("legal_entity", fresh()),
    });
    data.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    data
}

fn import(stores: &TestStores, options: &[&str], kind: &str, data: &Value) -> Finished {
    let line = json!({"kind": kind, "data": data}).to_string();
    esoz_with_input(&environment(stores), &[&["import"], options, &["-"]].concat(), &line)
}

/// How many records of each kind a file has: more than a batch, with all kinds together.
const OF_EACH_KIND: usize = 300;

/// A file with records of all kinds, each behind what it refers to, and the numbers of the lines that are bad.
fn interleaved() -> (String, Vec<usize>) {
    let active = |mut data: Value, fields: Value| {
        let fields = fields.as_object().unwrap().clone();
        data.as_object_mut()
            .unwrap()
            .extend(fields.into_iter().chain([("is_active".to_owned(), json!(true))]));
        data
    };
    let (mut lines, mut bad) = (Vec::new(), Vec::new());
    for number in 0..OF_EACH_KIND {
        let [legal_entity, division, contract, nobody] = [(); 4].map(|()| fresh().to_string());
        let with_id = |id: &str| json!({"id": id});
        let owner = if number % 100 == 50 { &nobody } else { &legal_entity };
        let of_number = [
            (
                "legal_entity",
                active(
                    with_id(&legal_entity),
                    json!({"name": "n", "edrpou": "1", "type": "PHARMACY", "status": "ACTIVE"}),
                ),
            ),
            (
                "division",
                active(
                    with_id(&division),
                    json!({"legal_entity_id": owner, "name": "n", "type": "t", "status": "ACTIVE"}),
                ),
            ),
            (
                "contract",
                active(
                    with_id(&contract),
                    json!({
                        "type": "GB_CBP", "status": "VERIFIED", "contract_number": "1", "contractor_legal_entity_id": legal_entity,
                        "start_date": "2026-01-01", "end_date": "2026-12-31", "is_suspended": false,
                    }),
                ),
            ),
            (
                "contract_division",
                active(
                    with_id(&fresh().to_string()),
                    json!({"contract_id": contract, "division_id": division}),
                ),
            ),
            ("device_dispense", data(DispenseId::new(fresh()), &json!({}))),
        ];
        for (kind, data) in of_number {
            let is_bad = owner == &nobody && matches!(kind, "division" | "contract_division");
            lines.push(json!({"kind": kind, "data": data}).to_string());
            if is_bad {
                bad.push(lines.len());
            }
        }
        if number % 100 == 51 {
            lines.push("{}".to_owned());
            bad.push(lines.len());
        }
    }
    (lines.join("\n"), bad)
}

fn counts(created: usize, kept: usize) -> Value {
    json!({"created": created, "updated": 0, "kept": kept})
}

#[tokio::test]
async fn a_dry_run_creates_no_store_and_records_no_patient_key() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = environment(&stores);
    let (_, path) = variables.iter().find(|(name, _)| name == "ESOZ_SQLITE__PATH").unwrap();
    let line =
        json!({"kind": "device_dispense", "data": data(DispenseId::new(fresh()), &json!({}))}).to_string();
    let dry_run = || esoz_with_input(&variables, &["import", "--dry-run", "-"], &line);
    dry_run().assert_failure("there is no SQLite file");
    assert!(!std::path::Path::new(path).exists(), "the store was created");
    esoz(&variables, &["migrate"]).assert_success();
    assert_eq!(
        dry_run().assert_success().stdout,
        "standard input: 1 lines, 0 bad; a dry run, nothing is written\n  device_dispense: 1 valid\n"
    );
    let doctor = esoz(&variables, &["doctor"]);
    assert!(doctor.stdout.contains("patient key: the store has none yet"), "{}", doctor.stdout);
    assert_eq!(esoz(&variables, &["export"]).assert_success().stdout, "");
}

#[tokio::test]
async fn an_import_that_cannot_begin_creates_no_store() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = environment(&stores);
    let (_, path) = variables.iter().find(|(name, _)| name == "ESOZ_SQLITE__PATH").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [file, missing] = ["good.ndjson", "missing.ndjson"].map(|name| folder.path().join(name));
    std::fs::write(&file, "").unwrap();
    let [file, missing, folder] =
        [&file, &missing, folder.path()].map(|path| path.to_str().unwrap().to_owned());
    let keyless: Vec<_> =
        variables.iter().filter(|(name, _)| !name.starts_with("ESOZ_PATIENT__")).cloned().collect();
    for (variables, arguments, problem) in [
        (&keyless, vec!["import", &file], "patient.key"),
        (&variables, vec!["import", &file, &missing], "missing.ndjson: cannot be opened"),
        (&variables, vec!["import", &folder], "is a folder"),
    ] {
        esoz(variables, &arguments).assert_failure(problem);
        assert!(!std::path::Path::new(path).exists(), "{problem}: the store was created");
    }
}

on_every_store! {
    async fn kinds_may_be_interleaved_and_only_bad_lines_are_refused(kind) {
        let stores = TestStores::fresh(kind).await;
        let (file, bad) = interleaved();
        let stamped = file.replace(r#""data":{"#, r#""data":{"inserted_at":"2026-01-31T08:00:00Z","updated_at":"2026-01-31T08:00:00Z","#);
        let listed = |report: &Value| {
            let listed = report["listed_bad_lines"].as_array().unwrap();
            listed.iter().map(|bad| usize::try_from(bad["line"].as_u64().unwrap()).unwrap()).collect::<Vec<usize>>()
        };
        // A dry run refuses the same lines and leaves every record to be created.
        esoz(&environment(&stores), &["migrate"]).assert_success();
        let finished = esoz_with_input(&environment(&stores), &["import", "--json", "--dry-run", "-"], &stamped);
        assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
        let report: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!((listed(&report), &report["dry_run"]), (bad.clone(), &json!(true)));
        assert_eq!(report["totals"]["division"], json!({"valid": OF_EACH_KIND - 3}));
        for is_first in [true, false] {
            let finished = esoz_with_input(&environment(&stores), &["import", "--json", "-"], &stamped);
            assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
            let report: Value = serde_json::from_str(&finished.stdout).unwrap();
            assert_eq!(listed(&report), bad);
            for (kind, records) in [
                ("legal_entity", OF_EACH_KIND), ("division", OF_EACH_KIND - 3), ("contract", OF_EACH_KIND),
                ("contract_division", OF_EACH_KIND - 3), ("device_dispense", OF_EACH_KIND),
            ] {
                let expected = if is_first { counts(records, 0) } else { counts(0, records) };
                assert_eq!(report["totals"][kind], expected, "{kind}");
            }
            // Nothing is drawn where standard error is no terminal.
            assert_eq!(finished.stderr.lines().filter(|line| line.contains("line ")).count(), bad.len());
            assert!(!finished.stderr.contains('\u{1b}') && !finished.stderr.contains('\r'), "{}", finished.stderr);
        }
    }

    async fn a_pipe_may_pause_for_longer_than_a_store_may_take(kind) {
        let stores = TestStores::fresh(kind).await;
        let mut variables = environment(&stores);
        let limits = ["ESOZ_MONGODB__OPERATION_TIMEOUT_MS", "ESOZ_POSTGRES__STATEMENT_TIMEOUT_MS"];
        variables.extend(limits.map(|limit| (limit.to_owned(), "2000".to_owned())));
        let line = |_| {
            let id = DispenseId::new(fresh());
            json!({"kind": "device_dispense", "data": data(id, &json!({}))}).to_string() + "\n"
        };
        // A whole batch and a begun one before the pause, which is the input's own.
        let begun = ImportLimits::default().max_batch_records + 10;
        let (before, after): (String, String) = ((0..begun).map(line).collect(), (0..10).map(line).collect());
        let pause = Duration::from_secs(4);
        let finished = esoz_with_pauses(&variables, &["import", "-"], &[&before, &after], pause);
        finished.assert_success();
        let created = format!("device_dispense: {} created", begun + 10);
        assert!(finished.stdout.contains(&created), "{}", finished.stdout);
    }

    async fn a_line_over_the_limit_is_refused_with_the_limit_and_taken_when_it_is_raised(kind) {
        let stores = TestStores::fresh(kind).await;
        let id = DispenseId::new(fresh());
        let given = data(id, &json!({"note": "x".repeat(3_000)}));
        let refused = import(&stores, &["--max-line-bytes", "3000"], "device_dispense", &given);
        refused.assert_failure("line 1: has more than 3000 bytes, the most that are taken; raise --max-line-bytes to take it\n");
        import(&stores, &["--max-line-bytes", "5000"], "device_dispense", &given).assert_success();
        assert_eq!(stores.raw().document(id).await["note"], given["note"]);
        for limit in ["0", "268435457", "many"] {
            let refused = esoz_with_input(&environment(&stores), &["import", "--max-line-bytes", limit, "-"], "");
            assert_eq!(refused.status.code(), Some(2), "{limit}");
        }
    }

    async fn unknown_fields_are_refused_with_the_flag_that_keeps_them(kind) {
        let stores = TestStores::fresh(kind).await;
        let id = DispenseId::new(fresh());
        let extra = json!({"of": ["another", "system", 1.5, null]});
        let given = data(id, &json!({"extra": extra, "status_reason": {"coding": [{"system": "s", "code": "c", "version": 2}]}}));
        let refused = import(&stores, &[], "device_dispense", &given);
        refused.assert_failure("has the unknown field extra; with --keep-unknown it is stored as it is");
        import(&stores, &["--keep-unknown"], "device_dispense", &given).assert_success();
        let stored = stores.raw().document(id).await;
        assert_eq!((&stored["extra"], &stored["status_reason"]["coding"][0]["version"]), (&extra, &json!(2)));
        let division = json!({
            "id": fresh().to_string(), "legal_entity_id": fresh().to_string(), "name": "n", "type": "t", "status": "ACTIVE",
            "is_active": true, "extra": 1,
        });
        let refused = import(&stores, &["--keep-unknown"], "division", &division);
        refused.assert_failure("$.data: has the unknown field extra\n");
    }

    async fn the_ends_of_time_are_taken_and_what_is_beyond_is_refused_with_the_reason(kind) {
        let stores = TestStores::fresh(kind).await;
        for given in ["0000-01-01T02:00:00+02:00", "9999-12-31T23:59:59Z"] {
            let data = data(DispenseId::new(fresh()), &json!({"when_handed_over": given, "inserted_at": given}));
            import(&stores, &[], "device_dispense", &data).assert_success();
        }
        for given in ["0000-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00"] {
            let data = data(DispenseId::new(fresh()), &json!({"when_handed_over": given}));
            let refused = import(&stores, &[], "device_dispense", &data);
            refused.assert_failure("$.data.when_handed_over: is outside the years 0000 to 9999 in UTC\n");
        }
    }
}
