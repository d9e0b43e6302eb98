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

/// The rows of the conformance table: the letter of each group, and how many it has. Each stands in the name of at least one test, which runs on every
/// store that the row makes sense on.
const ROWS: [(char, u32); 15] = [
    ('s', 20),
    ('p', 5),
    ('u', 24),
    ('q', 4),
    ('c', 8),
    ('g', 6),
    ('l', 12),
    ('x', 7),
    ('d', 13),
    ('m', 9),
    ('n', 40),
    ('k', 16),
    ('e', 12),
    ('j', 4),
    ('i', 2),
];

#[test]
fn every_row_of_the_conformance_table_has_its_test() {
    let tests: String = sources(&root().join("tests/tests")).into_iter().map(|(_, text)| text).collect();
    for (group, rows) in ROWS {
        for row in (1..=rows).map(|row| format!("{group}{row:02}")) {
            let named = tests.contains(&format!("fn {row}_")) || tests.contains(&format!("_and_{row}_"));
            assert!(named, "no test carries the number {row}");
        }
    }
}
