//! The first start on SQLite: many at once, and killed at any instant.

use std::path::Path;
use std::time::{Duration, Instant};

use esoz_tests::process::{Process, esoz};
use esoz_tests::{DEADLINE, PATIENT_KEY};

fn variables(path: &Path) -> Vec<(String, String)> {
    [
        ("ESOZ_SQLITE__PATH", path.to_str().unwrap()),
        ("ESOZ_PATIENT__KEY", PATIENT_KEY),
        ("ESOZ_HTTP__BIND", "127.0.0.1:0"),
        ("ESOZ_HTTP__WORKERS", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Waits without a pause: what comes after the file comes within milliseconds.
fn until_it_exists(path: &Path) {
    let since = Instant::now();
    while !path.exists() {
        assert!(since.elapsed() < DEADLINE, "{} does not come", path.display());
        std::thread::yield_now();
    }
}

#[test]
fn of_many_first_starts_on_one_missing_file_each_serves() {
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let variables = variables(&folder.path().join("esoz.sqlite"));
        let servers: Vec<Process> = (0..6).map(|_| Process::start(&variables, &["serve"])).collect();
        for server in &servers {
            server.wait_for_log("listening on http");
        }
    }
}

#[test]
fn a_first_start_that_is_killed_early_is_followed_by_one_that_works() {
    let mut interrupted = 0;
    for round in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("esoz.sqlite");
        let variables = variables(&path);
        let first = Process::start(&variables, &["serve"]);
        // At another instant in each round, counted from the file's first appearance, in steps of a quarter of a millisecond.
        until_it_exists(&path);
        std::thread::sleep(Duration::from_micros(250 * round));
        if !first.stderr().iter().any(|line| line.contains("listening on http")) {
            interrupted += 1;
        }
        first.kill();
        let second = Process::start(&variables, &["serve"]);
        second.wait_for_log("listening on http");
        drop(second);
        esoz(&variables, &["doctor"]).assert_success();
    }
    assert!(interrupted > 0, "no start was killed before it served");
}

#[test]
fn a_demo_that_is_killed_early_is_followed_by_one_that_works() {
    for round in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("demo");
        let arguments = ["demo", "--folder", kept.to_str().unwrap()];
        let variables = [("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned())];
        let first = Process::start(&variables, &arguments);
        until_it_exists(&kept);
        std::thread::sleep(Duration::from_micros(500 * round));
        first.kill();
        let second = Process::start(&variables, &arguments);
        second.wait_for_lines(1);
    }
}
