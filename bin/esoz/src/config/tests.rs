use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use esoz_device_dispense::PatientPseudonyms as _;
use esoz_pseudonym::HmacSha256Pseudonyms;

use super::*;

fn load(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config> {
    let environment = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let Some(text) = file else { return Config::from_sources(None, environment) };
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Config::from_sources(Some(file.path()), environment)
}

fn refusal(file: Option<&str>, variables: &[(&str, &str)]) -> String {
    format!("{:#}", load(file, variables).unwrap_err())
}

#[test]
fn without_any_source_everything_is_at_its_default() {
    let config = load(None, &[]).unwrap();
    assert_eq!(config.sections, Sections::default());
    assert_eq!(config.bus().unwrap(), Bus::Log);
}

#[test]
fn the_example_file_has_every_key_at_its_default_and_says_what_it_means() {
    let example = include_str!("../../../../docs/esoz.example.toml");
    assert_eq!(load(Some(example), &[]).unwrap().sections, Sections::default());
    let documented: toml::Table = toml::from_str(example).unwrap();
    let known = toml::Table::try_from(Sections::default()).unwrap();
    for (section, keys) in &known {
        let documented = documented.get(section).unwrap_or_else(|| panic!("[{section}] is missing"));
        for key in keys.as_table().unwrap().keys() {
            assert!(documented.get(key).is_some(), "{section}.{key} is missing");
        }
    }
    // A key stands below a comment, or below a key that a comment spoke of together with it.
    let lines: Vec<&str> = example.lines().collect();
    for pair in lines.windows(2) {
        if pair[1].contains(" = ") && !pair[1].starts_with('#') {
            assert!(
                pair[0].starts_with('#') || pair[0].contains(" = "),
                "nothing says what this is: {}",
                pair[1]
            );
        }
    }
}

#[test]
fn a_variable_wins_over_the_file() {
    let file = "[http]\nbind = \"127.0.0.1:1\"\nbody_max_bytes = 100\n";
    let config = load(Some(file), &[("ESOZ_HTTP__BIND", "127.0.0.1:2")]).unwrap();
    assert_eq!(config.sections.http.bind, "127.0.0.1:2");
    assert_eq!(config.sections.http.body_max_bytes, 100);
}

#[test]
fn a_variable_is_read_as_what_the_key_is() {
    let config = load(
        None,
        &[
            ("ESOZ_PATIENT__KEY", "1234567890123456"),
            ("ESOZ_CACHE__TTL_MS", "0"),
            ("ESOZ_LEGAL_ENTITY__ALLOWED_TYPES", "PHARMACY, MSP"),
            ("ESOZ_TEST_POSTGRES_URL", "not ours: no section"),
        ],
    )
    .unwrap();
    assert_eq!(config.sections.patient.key.expose(), "1234567890123456");
    assert_eq!(config.sections.cache.ttl_ms, 0);
    assert_eq!(config.sections.legal_entity.allowed_types, ["PHARMACY", "MSP"]);
    let list = |text| {
        load(None, &[("ESOZ_LEGAL_ENTITY__ALLOWED_TYPES", text)])
            .map(|config| config.sections.legal_entity.allowed_types)
    };
    assert_eq!(list("[\"PHARMACY\", \"MSP\"]").unwrap(), ["PHARMACY", "MSP"]);
    assert_eq!(list("").unwrap(), [""; 0]);
    for broken in ["[\"PHARMACY\"", "[1]", "[]\nother = 1"] {
        assert!(list(broken).is_err(), "{broken}");
    }
}

#[test]
fn unknown_keys_are_refused_with_their_source() {
    for (file, variables, expected) in [
        (Some("[http]\nbnd = \"x\"\n"), vec![], "unknown key `http.bnd` in /"),
        (Some("[htp]\nbind = \"x\"\n"), vec![], "unknown section `htp` in /"),
        (Some("bind = \"x\"\n"), vec![], "`bind` in /"),
        (
            None,
            vec![("ESOZ_HTTP__BND", "x")],
            "unknown key `http.bnd` in the environment variable ESOZ_HTTP__BND",
        ),
        (
            None,
            vec![("ESOZ_HTP__BIND", "x")],
            "unknown section `htp` in the environment variable ESOZ_HTP__BIND",
        ),
    ] {
        let refusal = refusal(file, &variables);
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn the_nearest_name_is_offered_for_an_unknown_one() {
    assert!(refusal(None, &[("ESOZ_HTTP__BINDS", "x")]).contains("(did you mean `bind`?)"));
    assert!(refusal(None, &[("ESOZ_MONGO__URI", "x")]).contains("(did you mean `mongodb`?)"));
    assert!(!refusal(None, &[("ESOZ_HTTP__ELEPHANT", "x")]).contains("did you mean"));
}

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
fn impossible_values_are_refused_with_key_and_source() {
    for (name, value, expected) in [
        ("ESOZ_HTTP__BIND", "nowhere", "`http.bind` must be an IP address and a port"),
        ("ESOZ_METRICS__BIND", "9100", "`metrics.bind` must be empty or an IP address and a port"),
        ("ESOZ_HTTP__BODY_MAX_BYTES", "0", "`http.body_max_bytes` must be from 2 to 67108864, not 0"),
        ("ESOZ_HTTP__BODY_MAX_BYTES", "-1", "`http.body_max_bytes` in the environment variable"),
        ("ESOZ_HTTP__BODY_MAX_BYTES", "many", "must be a whole number that is not negative"),
        ("ESOZ_STORE__KIND", "paper", "`store.kind` must be `sqlite` or `servers`"),
        ("ESOZ_EVENTS__BUS", "pigeon", "`events.bus` must be `log` or `kafka`"),
        ("ESOZ_DEVICE_DISPENSE__PATIENT_LIST", "some", "`device_dispense.patient_list` must be `own` or"),
        ("ESOZ_EVENTS__LEASE_MS", "100", "`events.lease_ms` must be from 16000"),
        ("ESOZ_HTTP__MAX_IN_FLIGHT", "0", "`http.max_in_flight` must be from 1"),
        (
            "ESOZ_RATE_LIMIT__BURST",
            "2000000",
            "`rate_limit.burst` must be 0 or from 0 to 1000000, not 2000000",
        ),
        ("ESOZ_CORS__ALLOWED_ORIGINS", "*", "`cors.allowed_origins` must hold origins"),
        ("ESOZ_CORS__ALLOWED_ORIGINS", "null", "`cors.allowed_origins` must hold origins"),
        ("ESOZ_CORS__ALLOWED_ORIGINS", "https://mis.example/", "`cors.allowed_origins` must hold origins"),
        ("ESOZ_CORS__ALLOWED_ORIGINS", "https://mis.example:443", "`cors.allowed_origins` must hold origins"),
        ("ESOZ_CORS__ALLOWED_ORIGINS", "https://MIS.example", "`cors.allowed_origins` must hold origins"),
        ("ESOZ_LOG__LEVEL", "loud", "`log.level` must be"),
        ("ESOZ_LOG__FORMAT", "xml", "`log.format` must be"),
        ("ESOZ_TRACING__ENDPOINT", "http://collector:4318", "`tracing.endpoint` must have a path as well"),
        (
            "ESOZ_TRACING__SAMPLE_PERMILLE",
            "1001",
            "`tracing.sample_permille` must be from 0 to 1000, not 1001",
        ),
    ] {
        let refusal = refusal(None, &[(name, value)]);
        assert!(refusal.contains(expected), "{name}={value}: {refusal}");
        assert!(refusal.contains(name), "the source of {name}={value}: {refusal}");
    }
}

#[test]
fn a_burst_is_not_less_than_what_comes_in_a_second() {
    let limit = |burst| {
        let variables = [("ESOZ_RATE_LIMIT__REQUESTS_PER_SECOND", "10"), ("ESOZ_RATE_LIMIT__BURST", burst)];
        load(None, &variables).and_then(|config| config.burst())
    };
    assert_eq!(limit("0").unwrap(), 10);
    assert_eq!(limit("25").unwrap(), 25);
    let refusal = format!("{:#}", limit("9").unwrap_err());
    assert!(refusal.contains("`rate_limit.burst` must be 0 or from 10 to 1000000, not 9"), "{refusal}");
}

#[test]
fn origins_are_taken_as_browsers_send_them() {
    let origins = ["https://mis.example", "http://localhost:3000", "https://[2001:db8::1]:8443"];
    let config = load(None, &[("ESOZ_CORS__ALLOWED_ORIGINS", &origins.join(","))]).unwrap();
    assert_eq!(config.allowed_origins().unwrap(), origins);
}

#[test]
fn what_is_needed_and_not_set_is_told_with_the_variable_that_sets_it() {
    for (name, value, expected) in [
        ("ESOZ_EVENTS__BUS", "kafka", "`kafka.brokers` is not set, but events go to Kafka"),
        (
            "ESOZ_TLS__CERTIFICATE_FILE",
            "c.pem",
            "`tls.private_key_file` is not set, but `tls.certificate_file` is",
        ),
        (
            "ESOZ_TLS__PRIVATE_KEY_FILE",
            "k.pem",
            "`tls.certificate_file` is not set, but `tls.private_key_file` is",
        ),
        ("ESOZ_SQLITE__PATH", "", "`sqlite.path` is not set, but `store.kind` is `sqlite`"),
    ] {
        let refusal = refusal(None, &[(name, value)]);
        assert!(refusal.contains(expected) && refusal.contains("as ESOZ_"), "{refusal}");
    }
}

#[test]
fn tokens_from_elsewhere_need_what_checks_them() {
    for (tokens, set, expected) in [
        ("paper", "", "`auth.tokens` must be `store`, `jwt`, `introspection` or `esoz`"),
        ("esoz", "", "`auth.url` is not set, but `auth.tokens` is `esoz`"),
        ("jwt", "ESOZ_AUTH__URL", "`auth.issuer` is not set"),
        ("introspection", "ESOZ_AUTH__URL", "`auth.client_id` is not set"),
    ] {
        let variables = [("ESOZ_AUTH__TOKENS", tokens), (set, "https://issuer.example")];
        let refusal = refusal(None, &variables);
        assert!(refusal.contains(expected), "{tokens}: {refusal}");
    }
    let complete = [
        ("ESOZ_AUTH__TOKENS", "introspection"),
        ("ESOZ_AUTH__URL", "https://issuer.example/introspect"),
        ("ESOZ_AUTH__CLIENT_ID", "esoz"),
        ("ESOZ_AUTH__CLIENT_SECRET", "canary"),
    ];
    assert!(load(None, &complete).is_ok());
}

#[test]
fn servers_need_their_addresses_and_no_log() {
    let refusal_of = |variables: &[(&str, &str)]| refusal(None, variables);
    assert!(refusal_of(&[("ESOZ_STORE__KIND", "servers")]).contains("`postgres.url` is not set"));
    let servers = [
        ("ESOZ_STORE__KIND", "servers"),
        ("ESOZ_POSTGRES__URL", "postgres://localhost/esoz"),
        ("ESOZ_MONGODB__URI", "mongodb://localhost"),
    ];
    assert!(refusal_of(&servers).contains("`kafka.brokers` is not set"));
    let mut with_log = servers.to_vec();
    with_log.push(("ESOZ_EVENTS__BUS", "log"));
    assert!(refusal_of(&with_log).contains("cannot be `log` with `store.kind` = `servers`"));
}

#[test]
fn all_impossible_values_are_told_at_once() {
    let refusal = refusal(None, &[("ESOZ_HTTP__BIND", "nowhere"), ("ESOZ_LOG__LEVEL", "loud")]);
    assert!(refusal.contains("http.bind") && refusal.contains("log.level"), "{refusal}");
}

#[test]
fn a_broken_file_is_told_by_line_and_never_quoted() {
    let refusal = refusal(Some("[patient]\nkey = \"canary\n"), &[]);
    assert!(refusal.contains("line 2"), "{refusal}");
    assert!(!refusal.contains("canary"), "{refusal}");
    let missing = format!(
        "{:#}",
        Config::from_sources(Some(Path::new("/nowhere.toml")), std::iter::empty()).unwrap_err()
    );
    assert!(missing.contains("/nowhere.toml"), "{missing}");
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

#[test]
fn a_file_that_never_ends_or_is_too_large_is_refused() {
    let endless = Path::new("/dev/zero");
    let configuration = Config::from_sources(Some(endless), std::iter::empty()).unwrap_err();
    let key = load(None, &[("ESOZ_PATIENT__KEY_FILE", "/dev/zero")]).unwrap().pseudonyms().err().unwrap();
    let mut large = tempfile::NamedTempFile::new().unwrap();
    large.write_all(&vec![b'#'; (1 << 20) + 1]).unwrap();
    let large = Config::from_sources(Some(large.path()), std::iter::empty()).unwrap_err();
    for refused in [configuration, key, large] {
        assert!(format!("{refused:#}").ends_with("it has more than 1 MiB"), "{refused:#}");
    }
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
