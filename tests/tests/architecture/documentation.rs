//! What the page says: its crates, walks and tests are there, and each row of the conformance table has its test.

use std::collections::BTreeSet;

use super::{members, metadata, root, sources};

#[test]
fn every_crate_is_documented() {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .collect();
    let metadata = metadata();
    let crates: BTreeSet<&str> =
        members(&metadata).into_iter().map(|package| package.name.as_str()).collect();
    assert_eq!(documented, crates);
}

#[test]
fn a_walk_enters_each_file_once() {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let (_, walks) = page.split_once("## One request, one walk").unwrap();
    let mut entered = BTreeSet::new();
    let mut begun = 0;
    for line in walks.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())) {
        let mut parts = line.split('`');
        if parts.next() == Some("1. ") {
            begun += 1;
            entered.clear();
        }
        let file = parts.next().unwrap();
        assert!(entered.insert(file), "a walk enters {file} twice");
        assert!(root().join("crates").join(file).exists(), "there is no {file}");
    }
    assert_eq!(begun, 4, "one walk for each way of writing");
}

#[test]
fn every_test_that_a_page_names_exists() {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let tests: String = sources(&root().join("tests")).into_iter().map(|(_, text)| text).collect();
    let named: Vec<&str> =
        page.split(['`', '(', ')']).filter(|word| word.contains("::") && !word.contains(' ')).collect();
    assert!(!named.is_empty());
    for name in named {
        let function = name.rsplit("::").next().unwrap();
        let exists = tests.contains(&format!("fn {function}("));
        assert!(exists || name.starts_with("Stop") || name.contains("Permit::"), "there is no test {name}");
    }
}

#[path = "../../../bin/xtask/src/rooms.rs"]
mod rooms;

#[test]
fn the_rooms_are_drawn_as_they_are() {
    let committed = std::fs::read_to_string(root().join("docs").join(rooms::FILE)).unwrap();
    let drawn = rooms::drawing(&metadata()).unwrap();
    assert!(
        committed == drawn,
        "docs/{} is of other crates; `cargo xtask reference` draws it anew",
        rooms::FILE
    );
}

/// The rows of the conformance table; each stands in the name of at least one test, which runs on every store that the row makes
/// sense on.
const ROWS: [&str; 109] = [
    "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12", "s13", "s14", "s15",
    "s16", "s17", "s18", "s19", "s20", "p01", "p02", "p03", "p04", "p05", "u01", "u02", "u03", "u04", "u05",
    "u06", "u07", "u08", "u09", "u10", "u11", "u12", "u13", "u14", "u15", "u16", "u17", "u18", "u19", "u20",
    "u21", "u22", "u23", "u24", "q01", "q02", "q03", "q04", "c01", "c02", "c03", "c04", "c05", "c06", "m01",
    "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "n01", "n02", "n03", "n04", "n05", "n06", "n07",
    "n08", "n09", "n10", "n11", "n12", "n13", "n14", "n15", "n16", "n17", "n18", "n19", "n20", "n21", "n22",
    "n23", "n24", "n25", "n26", "n27", "n28", "n29", "n30", "n31", "n32", "n33", "n34", "n35", "n36", "n37",
    "n38", "n39", "n40", "i01",
];

/// The rows of signed documents.
const SIGNED_ROWS: [&str; 34] = [
    "k01", "k02", "k03", "k04", "k05", "k06", "k07", "k08", "k09", "k10", "k11", "k12", "k13", "k14", "k15",
    "k16", "e01", "e02", "e03", "e04", "e05", "e06", "e07", "e08", "e09", "e10", "e11", "e12", "j01", "j02",
    "j03", "j04", "i01", "i02",
];

#[test]
fn every_row_of_the_conformance_table_has_its_test() {
    let tests: String =
        sources(&root().join("tests/tests/conformance")).into_iter().map(|(_, text)| text).collect();
    for row in ROWS.iter().chain(&SIGNED_ROWS) {
        let named = tests.contains(&format!("fn {row}_")) || tests.contains(&format!("_and_{row}_"));
        assert!(named, "no test carries the number {row}");
    }
}
