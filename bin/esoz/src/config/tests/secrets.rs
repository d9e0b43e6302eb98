//! Secrets come from the configuration or from a file, and are shown nowhere.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use esoz_device_dispense::PatientPseudonyms as _;
use esoz_pseudonym::HmacSha256Pseudonyms;

use super::*;
use crate::config::schema::Sections;

#[test]
fn every_key_is_shown_with_its_source_and_no_secret_is() {
    let secrets = [
        "ESOZ_AUTH__CLIENT_SECRET",
        "ESOZ_POSTGRES__URL",
        "ESOZ_POSTGRES__MIGRATION_URL",
        "ESOZ_MONGODB__URI",
        "ESOZ_PATIENT__KEY",
        "ESOZ_PATIENT__IV",
    ];
    let config = load(Some("[cache]\nttl_ms = 7\n"), &secrets.map(|name| (name, "canary"))).unwrap();
    let effective = config.effective().unwrap();
    assert!(!format!("{effective:?}").contains("canary"));
    let shown = |key: &str| effective.iter().find(|effective| effective.key == key).unwrap();
    assert_eq!(shown("cache.ttl_ms").value, toml::Value::Integer(7));
    assert!(shown("cache.ttl_ms").source.contains(".toml"));
    assert_eq!(shown("patient.key").value, toml::Value::String("…".to_owned()));
    assert_eq!(shown("patient.key").source, "the environment variable ESOZ_PATIENT__KEY");
    assert_eq!(shown("http.bind").source, "the default");
}

#[test]
fn a_secret_comes_from_the_configuration_or_from_a_file_but_not_from_both() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"0123456789abcdef\n").unwrap();
    let path = file.path().to_str().unwrap();
    let config = load(None, &[("ESOZ_PATIENT__KEY_FILE", path)]).unwrap();
    let patient = "aff00bf6-68bf-4b49-b66d-f031d48922b3".parse().unwrap();
    let expected = HmacSha256Pseudonyms::try_new("0123456789abcdef").unwrap().of(patient);
    assert_eq!(config.pseudonyms().unwrap().of(patient), expected);

    let both = load(None, &[("ESOZ_PATIENT__KEY_FILE", path), ("ESOZ_PATIENT__KEY", "x")]).unwrap();
    assert!(both.pseudonyms().is_err());
    let neither = load(None, &[]).unwrap();
    let refusal = neither.pseudonyms().err().unwrap().to_string();
    assert!(refusal.contains("ESOZ_PATIENT__KEY"), "{refusal}");
}

/// Compiles only while it wipes itself.
#[test]
fn a_configured_secret_is_wiped_when_dropped() {
    fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let config = load(None, &[("ESOZ_PATIENT__KEY", "1234567890123456")]).unwrap();
    wiped(&config.sections.patient.key);
}

#[test]
fn a_secret_never_shows_in_debug() {
    let config =
        load(None, &[("ESOZ_PATIENT__KEY", "canary"), ("ESOZ_POSTGRES__URL", "postgres://u:canary@h/d")])
            .unwrap();
    assert!(!format!("{config:?}").contains("canary"));
}

/// A secret that no file may hold would have no key for one; a new key of a file counts as one with a secret.
#[test]
fn every_file_of_a_secret_is_known_as_one() {
    let keys = Sections::key_names();
    let files: Vec<&str> = keys.iter().copied().filter(|key| key.ends_with("_file")).collect();
    let variables: Vec<String> = files.iter().map(|key| variables::variable_of(key)).collect();
    let set: Vec<(&str, &str)> = variables.iter().map(|variable| (variable.as_str(), "/nowhere")).collect();
    let found = load(None, &set).unwrap().secret_files().unwrap();
    let mut found: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    found.sort_unstable();
    let expected = [
        "auth.client_secret_file",
        "kafka.client_private_key_file",
        "kafka.password_file",
        "kafka.token_file",
        "media.secret_access_key_file",
        "mongodb.client_certificate_file",
        "mongodb.uri_file",
        "patient.iv_file",
        "patient.key_file",
        "postgres.client_private_key_file",
        "postgres.migration_url_file",
        "postgres.url_file",
        "registries.token_file",
        "tls.private_key_file",
    ];
    assert_eq!(found, expected);
    assert_eq!(load(None, &[]).unwrap().secret_files().unwrap(), []);
}

#[test]
fn a_secret_file_that_others_may_read_is_exposed_by_key_and_mode() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let config =
        load(None, &[("ESOZ_PATIENT__KEY_FILE", path), ("ESOZ_PATIENT__IV_FILE", "/nowhere")]).unwrap();
    for (mode, is_exposed) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true)] {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let expected = is_exposed.then(|| format!("patient.key_file {path} (mode {mode:04o})"));
        assert_eq!(config.exposed_secret_files().unwrap(), expected, "{mode:o}");
    }
}

#[test]
fn a_configuration_with_a_secret_in_it_is_a_secret_file() {
    let listed = |text: &str, variables: &[(&str, &str)]| {
        let files = load(Some(text), variables).unwrap().secret_files().unwrap();
        files.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    for text in [
        "[patient]\nkey = \"canary-canary-canary\"\n",
        "[kafka.properties]\n\"ssl.keystore.password\" = \"canary\"\n",
    ] {
        assert_eq!(listed(text, &[]), ["the configuration"]);
    }
    for text in
        ["[http]\nbind = 1\n", "[patient]\nkey = \"\"\n", "[kafka.properties]\n\"client.rack\" = \"a\"\n"]
    {
        assert_eq!(listed(text, &[("ESOZ_PATIENT__IV", "canary")]), [""; 0]);
    }
}
