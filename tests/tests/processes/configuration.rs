//! `config check`, and a configuration that cannot be used.

use std::process::Stdio;

use esoz_tests::process::{Process, command, esoz};
use esoz_tests::{Kind, TestStores};
use serde_json::{Value, json};

use crate::{environment, with};

fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_configuration_in_force_is_shown_without_its_secrets() {
    let variables = vec![
        ("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:1".to_owned()),
        ("ESOZ_PATIENT__KEY".to_owned(), "canary-canary-canary".to_owned()),
        (
            "ESOZ_POSTGRES__URL".to_owned(),
            "postgres://esoz:canary@db.example/esoz?sslmode=verify-full".to_owned(),
        ),
    ];
    let shown = esoz(&variables, &["config", "check"]);
    shown.assert_success();
    let line = "http.bind = \"127.0.0.1:1\"    # the environment variable ESOZ_HTTP__BIND";
    assert!(shown.stdout.lines().any(|shown| shown == line), "{}", shown.stdout);
    let line = "postgres.url = \"postgres://esoz:…@db.example/esoz?sslmode=verify-full\"    # the";
    assert!(shown.stdout.lines().any(|shown| shown.starts_with(line)), "{}", shown.stdout);
    let as_json = esoz(&variables, &["config", "check", "--json"]);
    let keys: Vec<Value> = serde_json::from_str(&as_json.assert_success().stdout).unwrap();
    assert_eq!(keys.len(), shown.stdout.lines().count());
    assert!(keys.contains(&json!({"key": "http.bind", "value": "127.0.0.1:1", "source": "the environment variable ESOZ_HTTP__BIND"})));
    assert!(!format!("{}{}", shown.stdout, as_json.stdout).contains("canary"));
}

#[test]
fn a_configuration_that_cannot_be_used_is_told() {
    let variables = vec![("ESOZ_HTTP__BINDING".to_owned(), "x".to_owned())];
    esoz(&variables, &["serve"])
        .assert_failure("unknown key `http.binding` in the environment variable ESOZ_HTTP__BINDING");
    esoz(&[], &["--config", "/nowhere/esoz.toml", "serve"]).assert_failure("/nowhere/esoz.toml");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esoz.sqlite");
    let no_key = vec![
        ("ESOZ_SQLITE__PATH".to_owned(), path.to_str().unwrap().to_owned()),
        ("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned()),
    ];
    esoz(&no_key, &["serve"]).assert_failure("ESOZ_PATIENT__KEY");
}

#[test]
fn a_variable_that_resembles_a_key_is_refused_and_any_other_is_named_in_a_warning() {
    esoz(&variables(&[("ESOZ_HTTP_BIND", "8080"), ("esoz_log__level", "warn")]), &["config", "check"])
        .assert_failure("unknown environment variable ESOZ_HTTP_BIND (did you mean ESOZ_HTTP__BIND?)")
        .assert_failure("unknown environment variable esoz_log__level (did you mean ESOZ_LOG__LEVEL?)");
    let foreign = esoz(&variables(&[("ESOZ_SERVICE_HOST", "10.0.0.1")]), &["config", "check"]);
    foreign.assert_success();
    let line = foreign.stderr.lines().find(|line| line.contains("are ignored")).unwrap();
    assert!(line.contains("ESOZ_SERVICE_HOST"), "{line}");
}

#[test]
fn the_file_may_be_named_by_a_variable_and_the_option_wins() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, port: u16| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("[http]\nbind = {port}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, other) = (file("one.toml", 1), file("other.toml", 2));
    let named = variables(&[("ESOZ_CONFIG", &one)]);
    let bind = |arguments: &[&str]| {
        let shown = esoz(&named, arguments);
        let mut lines = shown.assert_success().stdout.lines();
        lines.find(|line| line.starts_with("http.bind ")).unwrap().to_owned()
    };
    assert_eq!(bind(&["config", "check"]), format!("http.bind = \"1\"    # {one}"));
    assert_eq!(bind(&["--config", &other, "config", "check"]), format!("http.bind = \"2\"    # {other}"));
    esoz(&variables(&[("ESOZ_CONFIG", "/nowhere.toml")]), &["config", "check"])
        .assert_failure("/nowhere.toml");
    esoz(&variables(&[("ESOZ_CONFIG", "")]), &["config", "check"]).assert_success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_is_resolved_at_start_and_the_log_says_to_what() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let serving = with(environment(&stores), "ESOZ_HTTP__BIND", "localhost:0");
    let server = Process::start(&with(serving, "ESOZ_METRICS__BIND", "0"), &["serve"]);
    let line = server.wait_for_log("`http.bind` names localhost, which is ");
    assert!(line.contains("; the server listens on "), "{line}");
    server.wait_for_log("metrics are at http://127.0.0.1:");
}

#[test]
fn what_is_wrong_only_for_the_adapters_is_told_at_once_when_a_server_starts() {
    let wrong = variables(&[
        ("ESOZ_STORE__KIND", "servers"),
        ("ESOZ_POSTGRES__URL", "127.0.0.1"),
        ("ESOZ_MONGODB__URI", "127.0.0.1"),
        ("ESOZ_KAFKA__BROKERS", "127.0.0.1:1"),
        ("ESOZ_HTTP__BIND", "0"),
    ]);
    esoz(&wrong, &["serve"])
        .assert_failure("ESOZ_PATIENT__KEY")
        .assert_failure("PostgreSQL")
        .assert_failure("MongoDB");
}

#[test]
fn a_command_whose_output_nobody_reads_says_nothing() {
    for arguments in [["config", "check"].as_slice(), &["man"], &["completions", "bash"], &["doctor"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("esoz.sqlite");
        let variables = variables(&[("ESOZ_SQLITE__PATH", path.to_str().unwrap())]);
        let mut command = command(&variables, arguments);
        let finished = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(
            (String::from_utf8(finished.stderr).unwrap(), finished.status.code()),
            (String::new(), Some(1)),
            "{arguments:?}"
        );
    }
}

#[test]
fn what_is_needed_to_serve_is_told_of_a_configuration_that_is_enough_to_migrate() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("esoz.toml");
    std::fs::write(&empty, "").unwrap();
    let checked = esoz(&[], &["--config", empty.to_str().unwrap(), "config", "check"]);
    let told = &checked.assert_success().stderr;
    assert!(told.contains("more is needed to serve") && told.contains("ESOZ_PATIENT__KEY"), "{told}");
    let key = variables(&[("ESOZ_PATIENT__KEY", esoz_tests::PATIENT_KEY)]);
    assert_eq!(esoz(&key, &["config", "check"]).assert_success().stderr, "");
}

#[test]
fn one_address_for_requests_and_metrics_is_found_by_the_doctor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esoz.sqlite");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let variables = [
        ("ESOZ_SQLITE__PATH", path.to_str().unwrap()),
        ("ESOZ_PATIENT__KEY", esoz_tests::PATIENT_KEY),
        ("ESOZ_HTTP__BIND", &free),
        ("ESOZ_METRICS__BIND", &free),
    ];
    let examined = esoz(&self::variables(&variables), &["doctor"]).stdout;
    assert!(examined.contains("ok     http.bind") && examined.contains("WRONG  metrics.bind"), "{examined}");
}
