//! The smallest form of every group, so that the bench is there when somebody wants it. It says nothing about speed.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

use esoz_testkit::servers::{KAFKA_BROKERS, MONGODB_URI, POSTGRES_URL, shared};
use esoz_tests::process::program;

/// Runs groups whose name contains that, and gives what was told.
fn bench(only: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esoz-bench-under-test"));
    command.args(["run", "--servers-of-tests", "--seconds", "0.1", "--rounds", "2", "--records", "200"]);
    command.arg("--program").arg(program()).args(["--only", only]);
    if !only.contains("sqlite") {
        // Started here once, if nobody has, not by each process of the bench.
        command.env(POSTGRES_URL, shared::postgres().url());
        command.env(MONGODB_URI, shared::mongodb().uri());
        command.env(KAFKA_BROKERS, shared::kafka().brokers());
    }
    let output = command.output().unwrap();
    let (told, complaints) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{told}\n{complaints}");
    told
}

fn assert_measures(group: &str, method: &str, store: &str) {
    let told = bench(group);
    for (at_once, way) in
        [(1, "L1"), (1, "esoz"), (32, "L1"), (32, "L2"), (32, "esoz"), (64, "L1"), (64, "L2"), (64, "esoz")]
    {
        let row = format!("| {method} | {store} | {at_once} | {way} |");
        assert!(told.contains(&row), "no `{row}` in\n{told}");
    }
}

#[test]
fn stops_on_sqlite() {
    assert_measures("stop-sqlite", "stop", "SQLite");
}

#[test]
fn stops_on_mongodb() {
    assert_measures("stop-mongodb", "stop", "MongoDB");
}

#[test]
fn updates_on_sqlite() {
    assert_measures("update-sqlite", "update", "SQLite");
}

#[test]
fn updates_on_postgresql() {
    assert_measures("update-postgres", "update", "PostgreSQL");
}

#[test]
fn a_group_that_is_none_is_refused_with_the_names_of_those_that_are() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esoz-bench-under-test"));
    let output = command.args(["run", "--program", "x", "--only", "nothing"]).output().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("no group is called so; there are stop-mongodb, "), "{complaint}");
}
