//! The examples on the page about import and export files, imported.

use esoz_import::RecordKind;
use esoz_tests::process::{esoz, esoz_with_input};
use esoz_tests::{Kind, PATIENT_KEY, TestStores};
use serde_json::{Value, json};

use crate::page::Page;

/// The examples of the page, each joined to one line.
fn examples() -> Vec<Value> {
    let page = Page::of_book("reference/records.md");
    page.blocks_of("json").into_iter().map(|block| serde_json::from_str(block).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_page_are_imported_in_its_order() {
    let examples = examples();
    let kinds: Vec<&str> = examples.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, RecordKind::ALL.map(RecordKind::as_str));
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let mut variables = stores.variables().to_vec();
    variables.push(("ESOZ_PATIENT__KEY".to_owned(), PATIENT_KEY.to_owned()));
    esoz(&variables, &["migrate"]).assert_success();
    let file = examples.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    for (options, expected) in [
        (["--json", "--dry-run"].as_slice(), json!({"valid": 1})),
        (&["--json"], json!({"created": 1, "updated": 0, "kept": 0})),
        (&["--json"], json!({"created": 0, "updated": 0, "kept": 1})),
    ] {
        let imported = esoz_with_input(&variables, &[&["import"], options, &["-"]].concat(), &file);
        let report: Value = serde_json::from_str(&imported.assert_success().stdout).unwrap();
        for kind in kinds.iter().copied() {
            assert_eq!(report["totals"][kind], expected, "{kind}");
        }
    }
    // Each is taken back from an export, one line for one record.
    let exported = esoz(&variables, &["export"]).assert_success().stdout.clone();
    assert_eq!(exported.lines().count(), examples.len());
    let again = esoz_with_input(&variables, &["import", "--pseudonymous", "-"], &exported);
    again.assert_success();
}
