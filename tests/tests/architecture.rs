//! Holds `docs/architecture.md` to be true: each invariant that can be read off the code is read off it here.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// The crates that know rules.
const DOMAIN: [&str; 6] = [
    "esoz-kernel",
    "esoz-auth",
    "esoz-legal-entity",
    "esoz-events",
    "esoz-device-dispense",
    "esoz-contract-division",
];

/// What each crate may see of ours. Everything below a crate is seen through it as well.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("esoz-kernel", &[]),
    ("esoz-auth", &["esoz-kernel"]),
    ("esoz-legal-entity", &["esoz-kernel"]),
    ("esoz-events", &["esoz-kernel", "esoz-auth"]),
    ("esoz-device-dispense", &["esoz-kernel", "esoz-auth", "esoz-legal-entity", "esoz-events"]),
    ("esoz-contract-division", &["esoz-kernel", "esoz-auth", "esoz-legal-entity"]),
    ("esoz-pseudonym", &DOMAIN),
    ("esoz-cache", &DOMAIN),
    ("esoz-batch", &["esoz-kernel"]),
    ("esoz-https", &[]),
    ("esoz-otlp", &["esoz-kernel", "esoz-https"]),
    ("esoz-auth-remote", &["esoz-kernel", "esoz-auth", "esoz-https"]),
    ("esoz-import", &DOMAIN),
    ("esoz-store-sqlite", &DOMAIN),
    ("esoz-store-postgres", &[KNOWING_RULES, "esoz-batch"]),
    ("esoz-store-mongo", &[KNOWING_RULES, "esoz-batch"]),
    ("esoz-bus-kafka", &DOMAIN),
    ("esoz-http", &DOMAIN),
    ("esoz-testkit", &DOMAIN),
    ("esoz-test-servers", &["esoz-kernel", "esoz-events", "esoz-testkit"]),
    ("esoz", ALL),
    ("esoz-tests", ALL),
    (
        "esoz-bench",
        &["esoz-kernel", "esoz-device-dispense", "esoz-pseudonym", "esoz-testkit", "esoz-test-servers"],
    ),
    ("esoz-simulation", &[KNOWING_RULES, "esoz-testkit"]),
    ("esoz-faults", ALL),
    ("esoz-fuzz", ALL),
    ("xtask", &["esoz-test-servers"]),
];

const ALL: &[&str] = &["*"];

/// Stands for all of [`DOMAIN`].
const KNOWING_RULES: &str = "the domain";

/// What no domain crate may depend on, at whatever depth.
const FORBIDDEN_IN_DOMAIN: [&str; 13] = [
    "actix-web",
    "async-std",
    "diesel",
    "diesel-async",
    "futures-executor",
    "hyper",
    "mongodb",
    "rdkafka",
    "reqwest",
    "smol",
    "sqlx",
    "tokio",
    "tracing",
];

/// What an embedder's tests must not have to compile: drivers, and what starts servers.
const FORBIDDEN_IN_TESTKIT: [&str; 6] = ["bson", "diesel", "mongodb", "rdkafka", "rustix", "tempfile"];

/// The most crates that a domain crate may bring, itself included.
const DOMAIN_MAX_CRATES: usize = 40;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata() -> Metadata {
    // What other platforms need is not built here.
    let platform = "--filter-platform=x86_64-unknown-linux-gnu".to_owned();
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).other_options(["--locked".to_owned(), platform]);
    command.exec().unwrap()
}

fn members(metadata: &Metadata) -> Vec<&Package> {
    metadata.workspace_packages()
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    let normal = |kind| matches!(kind, DependencyKind::Normal | DependencyKind::Build);
    package
        .dependencies
        .iter()
        .filter(move |dependency| normal(dependency.kind))
        .map(|dependency| dependency.name.as_str())
}

/// Every crate that comes with this one, itself included, without what only its tests or optional features need.
fn tree(name: &str) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["tree", "--locked", "--package", name, "--edges", "normal", "--prefix", "none"])
        .current_dir(root());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

fn domain_sources() -> Vec<(PathBuf, String)> {
    let folder = |name: &str| root().join("crates").join(name.trim_start_matches("esoz-")).join("src");
    DOMAIN.into_iter().flat_map(|name| sources(&folder(name))).collect()
}

#[test]
fn dependencies_point_inwards() {
    let metadata = metadata();
    let names: BTreeSet<&str> = members(&metadata).into_iter().map(|package| package.name.as_str()).collect();
    let listed: BTreeSet<&str> = MAY_SEE.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, listed, "every crate has its line in MAY_SEE");
    for package in members(&metadata) {
        let (_, may_see) = MAY_SEE.iter().find(|(name, _)| package.name == *name).unwrap();
        for dependency in normal_dependencies(package).filter(|dependency| names.contains(dependency)) {
            let is_of_domain = DOMAIN.contains(&dependency) && may_see.contains(&KNOWING_RULES);
            let allowed = *may_see == ALL || is_of_domain || may_see.contains(&dependency);
            assert!(allowed, "{} must not depend on {dependency}", package.name);
        }
    }
}

#[test]
fn domain_crates_depend_on_little() {
    for name in DOMAIN {
        let tree = tree(name);
        for forbidden in FORBIDDEN_IN_DOMAIN {
            assert!(!tree.contains(forbidden), "{name} must not depend on {forbidden}");
        }
        assert!(tree.len() <= DOMAIN_MAX_CRATES, "{name} brings {} crates: {tree:?}", tree.len());
    }
}

#[test]
fn testkit_starts_no_process() {
    let tree = tree("esoz-testkit");
    for forbidden in FORBIDDEN_IN_TESTKIT {
        assert!(!tree.contains(forbidden), "esoz-testkit must not depend on {forbidden}");
    }
    let metadata = metadata();
    let testkit = members(&metadata).into_iter().find(|package| package.name == "esoz-testkit").unwrap();
    let features = testkit.dependencies.iter().flat_map(|dependency| &dependency.features);
    assert!(!features.into_iter().any(|feature| feature == "process"), "esoz-testkit starts processes");
    for (path, text) in sources(&root().join("crates/testkit")) {
        assert!(!text.contains("std::process"), "{} uses std::process", path.display());
    }
}

#[test]
fn examples_of_domain_crates_use_domain_crates_only() {
    for (crate_folder, allowed) in
        [("device-dispense", "esoz_device_dispense"), ("contract-division", "esoz_contract_division")]
    {
        let examples = sources(&root().join("crates").join(crate_folder).join("examples"));
        assert!(!examples.is_empty(), "{crate_folder} has no example");
        for (path, text) in examples {
            assert!(text.contains(allowed), "{} does not use its crate", path.display());
            let ours = text
                .split(|char: char| !(char.is_alphanumeric() || char == '_'))
                .filter(|word| word.starts_with("esoz_"));
            for word in ours {
                assert!(DOMAIN.contains(&word.replace('_', "-").as_str()), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn anyhow_stays_in_binaries() {
    for package in members(&metadata()) {
        let binaries = ["esoz", "esoz-tests", "esoz-bench", "esoz-faults", "esoz-fuzz", "xtask"];
        let is_binary = binaries.contains(&package.name.as_str());
        assert!(is_binary || !normal_dependencies(package).any(|name| name == "anyhow"), "{}", package.name);
    }
}

#[test]
fn http_executes_operations_only() {
    let stores =
        ["DeviceDispenses", "LegalEntities", "ContractDivisions", "AccessTokens", "ApiKeys", "Outbox"];
    for (path, text) in sources(&root().join("crates/http/src")) {
        let words: BTreeSet<&str> = text.split(|char: char| !char.is_alphanumeric() && char != '_').collect();
        for store in stores {
            assert!(!words.contains(store), "{} asks the port {store} itself", path.display());
        }
    }
}

#[test]
fn domain_types_are_not_serialized() {
    for (path, text) in domain_sources() {
        assert!(!text.contains("Serialize"), "{} serializes a domain type", path.display());
    }
}

#[test]
fn domain_crates_read_no_environment() {
    for (path, text) in domain_sources() {
        for forbidden in ["std::env", "std::fs", "std::net", "std::thread::spawn"] {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", path.display());
        }
    }
}

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
    assert_eq!(begun, 2, "one walk for each method");
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

/// The rows of the conformance table; each stands in the name of at least one test, which runs on every store that the row makes
/// sense on.
const ROWS: [&str; 68] = [
    "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12", "s13", "s14", "s15",
    "s16", "s17", "s18", "s19", "s20", "p01", "p02", "p03", "p04", "p05", "u01", "u02", "u03", "u04", "u05",
    "u06", "u07", "u08", "u09", "u10", "u11", "u12", "u13", "u14", "u15", "u16", "u17", "u18", "u19", "u20",
    "u21", "u22", "u23", "u24", "q01", "q02", "q03", "q04", "c01", "c02", "c03", "c04", "c05", "c06", "m01",
    "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09",
];

#[test]
fn every_row_of_the_conformance_table_has_its_test() {
    let tests: String =
        sources(&root().join("tests/tests/conformance")).into_iter().map(|(_, text)| text).collect();
    for row in ROWS {
        let named = tests.contains(&format!("fn {row}_")) || tests.contains(&format!("_and_{row}_"));
        assert!(named, "no test carries the number {row}");
    }
}
