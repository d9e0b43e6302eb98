//! `docs/security.md` is true: every test that it names is there, every setting exists, and no line goes without.

use std::collections::BTreeSet;
use std::path::Path;

use crate::page::root;

/// The rows of the page's tables, as cells.
fn rows() -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.filter(|row| !row.starts_with('|') && !row.starts_with("---"));
    rows.map(|row| row.split(" | ").map(str::to_owned).collect()).collect()
}

/// What a cell quotes as code.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Every test of ours, as the name of its file and its own.
fn tests(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            tests(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                // A case of `on_every_store!` has no attribute of its own: the macro gives it one.
                let in_macro = line.starts_with("async fn ") && line.ends_with("(kind) {");
                let name =
                    line.split_once("fn ").and_then(|(_, rest)| rest.split_once('(')).map(|(name, _)| name);
                if let Some(name) = name.filter(|_| is_test || in_macro) {
                    into.insert(format!("{module}::{name}"));
                }
                let in_proptest = line == "#[test]";
                is_test =
                    in_proptest || line.starts_with("#[tokio::test") || (is_test && line.starts_with("#["));
            }
        }
    }
}

#[test]
fn every_line_is_shown_by_tests_or_settings_that_exist() {
    let mut known = BTreeSet::new();
    for folder in ["bin", "crates", "tests"] {
        tests(&root().join(folder), &mut known);
    }
    assert!(known.len() > 500, "{} tests", known.len());
    let example: toml::Table =
        std::fs::read_to_string(root().join("docs/esoz.example.toml")).unwrap().parse().unwrap();
    let is_key = |named: &str| {
        named
            .split_once('.')
            .is_some_and(|(section, key)| example.get(section).and_then(|keys| keys.get(key)).is_some())
    };
    let rows = rows();
    let mut faults = Vec::new();
    for row in &rows {
        let [what, .., shown] = row.as_slice() else { panic!("{row:?}") };
        let named = quoted(shown);
        if named.is_empty() {
            faults.push(format!("{what}: nothing shows it"));
        }
        for name in named {
            if !known.contains(name) && !is_key(name) {
                faults.push(format!("{what}: there is no test and no setting {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn all_ten_of_the_api_security_top_ten_are_answered() {
    let rows = rows();
    for number in 1..=10 {
        let name = format!("API{number}");
        assert_eq!(rows.iter().filter(|row| row[0] == name).count(), 1, "{name}");
    }
    for row in rows {
        assert_eq!(row.len(), 4, "{row:?}");
    }
}

#[test]
fn dependencies_are_audited_where_this_page_says() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let workflow: serde_json::Value = serde_saphyr::from_str(&read(".github/workflows/ci.yml")).unwrap();
    let steps = workflow["jobs"]["advisories"]["steps"].as_array().unwrap().iter();
    let runs: Vec<&str> = steps.filter_map(|step| step["run"].as_str()).collect();
    assert!(
        runs.iter().any(|run| run.contains("cargo deny") && run.ends_with("check advisories")),
        "{runs:?}"
    );
    assert!(
        workflow["on"]["schedule"][0]["cron"].is_string() && workflow["on"].get("pull_request").is_some()
    );
    let rules: toml::Table = read("deny.toml").parse().unwrap();
    for check in ["advisories", "bans", "licenses", "sources"] {
        assert!(rules.contains_key(check), "deny.toml says nothing about {check}");
    }
    assert_eq!(rules["sources"]["unknown-registry"].as_str(), Some("deny"));
    assert_eq!(rules["sources"]["unknown-git"].as_str(), Some("deny"));
    assert!(read(".ci/run").contains("cargo xtask ci"));
}
