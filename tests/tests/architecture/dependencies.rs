//! What each crate may depend on.

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::{DependencyKind, Package};

use super::{DOMAIN, members, metadata, root, sources};

/// What each crate may see of ours. Everything below a crate is seen through it as well.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("esoz-kernel", &[]),
    ("esoz-auth", &["esoz-kernel"]),
    ("esoz-legal-entity", &["esoz-kernel"]),
    ("esoz-events", &["esoz-kernel", "esoz-auth"]),
    ("esoz-signed-content", &["esoz-kernel"]),
    ("esoz-registries", &["esoz-kernel", "esoz-signed-content"]),
    (
        "esoz-device-dispense",
        &[
            "esoz-kernel",
            "esoz-auth",
            "esoz-legal-entity",
            "esoz-events",
            "esoz-signed-content",
            "esoz-registries",
        ],
    ),
    ("esoz-contract-division", &["esoz-kernel", "esoz-auth", "esoz-legal-entity"]),
    ("esoz-pseudonym", &DOMAIN),
    ("esoz-cache", &DOMAIN),
    ("esoz-batch", &["esoz-kernel"]),
    ("esoz-tls", &["esoz-kernel"]),
    ("esoz-https", &["esoz-kernel", "esoz-tls"]),
    ("esoz-otlp", &["esoz-kernel", "esoz-https", "esoz-tls"]),
    ("esoz-auth-remote", &["esoz-kernel", "esoz-auth", "esoz-https"]),
    ("esoz-media-storage", &["esoz-kernel", "esoz-signed-content", "esoz-https"]),
    ("esoz-signature-cms", &["esoz-kernel", "esoz-signed-content"]),
    ("esoz-signature-service", &["esoz-kernel", "esoz-signed-content", "esoz-https"]),
    ("esoz-import", &DOMAIN),
    ("esoz-registries-remote", &[KNOWING_RULES, "esoz-import", "esoz-https"]),
    ("esoz-store-sqlite", &DOMAIN),
    ("esoz-store-postgres", &[KNOWING_RULES, "esoz-batch", "esoz-tls"]),
    ("esoz-store-mongo", &[KNOWING_RULES, "esoz-batch", "esoz-tls"]),
    ("esoz-bus-kafka", &[KNOWING_RULES, "esoz-tls"]),
    ("esoz-http", &DOMAIN),
    ("esoz-testkit", &DOMAIN),
    ("esoz-test-servers", &["esoz-kernel", "esoz-events", "esoz-testkit"]),
    ("esoz", ALL),
    ("esoz-tests", ALL),
    (
        "esoz-bench",
        &[
            "esoz-kernel",
            "esoz-device-dispense",
            "esoz-pseudonym",
            "esoz-signature-cms",
            "esoz-testkit",
            "esoz-test-servers",
        ],
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
fn anyhow_stays_in_binaries() {
    for package in members(&metadata()) {
        let binaries = ["esoz", "esoz-tests", "esoz-bench", "esoz-faults", "esoz-fuzz", "xtask"];
        let is_binary = binaries.contains(&package.name.as_str());
        assert!(is_binary || !normal_dependencies(package).any(|name| name == "anyhow"), "{}", package.name);
    }
}
