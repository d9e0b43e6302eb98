//! `config check`, and a configuration that cannot be used.

use esoz_tests::process::esoz;
use serde_json::{Value, json};

#[test]
fn the_configuration_in_force_is_shown_without_its_secrets() {
    let variables = vec![
        ("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:1".to_owned()),
        ("ESOZ_PATIENT__KEY".to_owned(), "canary-canary-canary".to_owned()),
    ];
    let shown = esoz(&variables, &["config", "check"]);
    shown.assert_success();
    let line = "http.bind = \"127.0.0.1:1\"    # the environment variable ESOZ_HTTP__BIND";
    assert!(shown.stdout.lines().any(|shown| shown == line), "{}", shown.stdout);
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
