//! The smallest form of every group, so that the bench is there when somebody wants it. It says nothing about speed. (Only the group that
//! compiles is left out: nothing in it can be made small.)
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use esoz_test_servers::{KAFKA_BROKERS, MONGODB_URI, POSTGRES_URL, shared};
use esoz_tests::process::program;

/// Runs groups whose name contains that, and gives what was told.
fn bench(only: &str, records: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esoz-bench-under-test"));
    command.args(["run", "--servers-of-tests", "--seconds", "0.1", "--rounds", "2", "--records", records]);
    command.arg("--program").arg(program()).args(["--only", only]);
    if ["mongodb", "postgres", "growth", "relay"].iter().any(|wants_servers| only.contains(wants_servers)) {
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
    let told = bench(group, "200");
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

/// Runs a group that gives single figures, and looks for each of them in the table.
fn assert_figures(group: &str, figures: &[&str]) {
    let told = bench(group, "20");
    for figure in figures {
        assert!(told.contains(&format!("| {figure} |")), "no `{figure}` in\n{told}");
    }
}

#[test]
fn growth() {
    assert_figures(
        "growth",
        &[
            "stop on MongoDB among 2000, L1, to 20 alone",
            "stop on MongoDB among 20 with 200 events waiting, esoz, to 20 alone",
            "update on PostgreSQL among 200, esoz, to 20 alone",
            "stop on SQLite among 20 with 200 events waiting, esoz, to 20 alone",
            "update on SQLite among 2000, L1, to 20 alone",
        ],
    );
}

fn assert_writes(group: &str, store: &str) {
    let figures = [
        format!("creates on {store}, 32 at once, to stops"),
        format!("completes, documents kept in memory, on {store}, 32 at once, to stops"),
        format!("32 creates at once for one request on {store}, 10 rounds: with one recorded"),
        format!("32 creates at once for one request on {store}, 10 rounds: answered 5xx"),
    ];
    assert_figures(group, &figures.each_ref().map(String::as_str));
}

#[test]
fn creates_and_completes_on_sqlite() {
    assert_writes("writes-sqlite", "SQLite");
}

#[test]
fn creates_and_completes_on_mongodb() {
    assert_writes("writes-mongodb", "MongoDB");
}

#[test]
fn relay() {
    assert_figures(
        "relay",
        &[
            "events delivered for one made",
            "a backlog of 200 delivered, while requests go on",
            "from the request to the topic, p99, when idle (the request included)",
        ],
    );
}

#[test]
fn imports_into_sqlite() {
    assert_figures(
        "import-sqlite",
        &[
            "import into SQLite, dispenses, to one transaction",
            "import into SQLite, contracts with divisions, sorted, to one transaction",
            "import into SQLite, contracts with divisions, interleaved, to one transaction",
        ],
    );
}

#[test]
fn imports_into_mongodb() {
    assert_figures("import-mongodb", &["import into MongoDB, dispenses, to insertMany"]);
}

#[test]
fn imports_into_postgresql() {
    assert_figures(
        "import-postgres",
        &[
            "import into PostgreSQL, contracts with divisions, sorted, to COPY",
            "import into PostgreSQL, contracts with divisions, interleaved, to COPY",
        ],
    );
}

#[test]
fn memory() {
    assert_figures("memory", &["memory resident after 2000 requests on SQLite"]);
}

#[test]
fn start() {
    assert_figures(
        "start",
        &["from the start of the process on SQLite to its first answer, a stopped dispense"],
    );
}

#[test]
fn refusals() {
    assert_figures("refusals", &["401 without a token, no store being there"]);
}

#[test]
fn what_is_written_down_stays_when_another_group_is_measured() {
    let docs = tempfile::tempdir().unwrap();
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md")).unwrap();
    let (_, words) = page.split_once("<!-- result: to here -->").unwrap();
    let (words, _) = words.split_once("<!-- measured").unwrap();
    std::fs::write(docs.path().join("performance.md"), &page).unwrap();
    for group in ["refusals", "start"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esoz-bench-under-test"));
        command.args(["run", "--seconds", "0.1", "--rounds", "1", "--records", "20", "--only", group]);
        let output =
            command.arg("--program").arg(program()).arg("--write").arg(docs.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let written = std::fs::read_to_string(docs.path().join("performance.md")).unwrap();
    assert!(written.contains(words));
    assert!(
        written.contains("| 401 without a token, no store being there: at least 20000 a second |"),
        "{written}"
    );
    assert!(written.contains("its first answer, a stopped dispense: at most 100 ms |"), "{written}");
    let figures = std::fs::read(docs.path().join("performance/results.json")).unwrap();
    let figures: serde_json::Value = serde_json::from_slice(&figures).unwrap();
    assert!(figures["results"]["refusals"].is_object() && figures["results"]["start"].is_object());
}

#[test]
fn page_and_plots_are_made_from_the_figures() {
    let (book, docs) =
        (Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")), tempfile::tempdir().unwrap());
    std::fs::create_dir(docs.path().join("performance")).unwrap();
    for file in ["performance.md", "performance/results.json"] {
        std::fs::copy(book.join(file), docs.path().join(file)).unwrap();
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_esoz-bench-under-test")).arg("page").arg(docs.path()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plots = std::fs::read_dir(docs.path().join("performance")).unwrap().map(|file| file.unwrap().path());
    let plots: Vec<_> = plots.filter(|file| file.extension().is_some_and(|kind| kind == "svg")).collect();
    assert_eq!(plots.len(), 8);
    for made in plots.into_iter().chain([docs.path().join("performance.md")]) {
        let name = made.strip_prefix(docs.path()).unwrap();
        assert!(
            std::fs::read(&made).unwrap() == std::fs::read(book.join(name)).unwrap(),
            "docs/{} is not made from docs/performance/results.json; `cargo run -p esoz-bench -- page` writes it anew",
            name.display()
        );
    }
}

#[test]
fn a_group_that_is_none_is_refused_with_the_names_of_those_that_are() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esoz-bench-under-test"));
    let output = command.args(["run", "--program", "x", "--only", "nothing"]).output().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("no group is called so; there are stop-mongodb, "), "{complaint}");
}
