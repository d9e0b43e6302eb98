//! Defaults, file and variables: which wins, how each is read, and which names are unknown.

use super::*;
use crate::config::schema::Sections;

#[test]
fn without_any_source_everything_is_at_its_default() {
    let config = load(None, &[]).unwrap();
    assert_eq!(config.sections, Sections::default());
    assert_eq!(config.bus().unwrap(), Bus::Log);
}

#[test]
fn the_example_file_has_every_key_at_its_default_and_says_what_it_means() {
    let example = include_str!("../../../../../docs/esoz.example.toml");
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
            ("ESOZ_TEST_POSTGRES_URL", "of the tests"),
            ("ESOZ_CONFIG", "/no/such/file.toml"),
            ("ESOZ_SERVICE_HOST", "10.0.0.1"),
        ],
    )
    .unwrap();
    assert_eq!(config.sections.patient.key.expose(), "1234567890123456");
    assert_eq!(config.sections.cache.ttl_ms, 0);
    assert_eq!(config.ignored_variables, ["ESOZ_SERVICE_HOST"]);
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
        (
            None,
            vec![("ESOZ_HTTP_BIND", "x")],
            "unknown environment variable ESOZ_HTTP_BIND (did you mean ESOZ_HTTP__BIND?)",
        ),
        (
            None,
            vec![("esoz_http__bind", "x")],
            "unknown environment variable esoz_http__bind (did you mean ESOZ_HTTP__BIND?)",
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

#[test]
fn proxies_are_taken_from_the_variables_that_other_programs_know() {
    let (http, https) = ("http://proxy.example:3128", "http://user:canary@proxy.example:3128");
    for upper in [true, false] {
        let name = |name: &str| if upper { name.to_owned() } else { name.to_lowercase() };
        let [first, second, third] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].map(name);
        let variables = [(first.as_str(), http), (&second, https), (&third, ".example,10.0.0.0/8")];
        let config = load(None, &variables).unwrap();
        assert_eq!((config.proxies.http.expose(), config.proxies.https.expose()), (http, https));
        assert_eq!(config.proxies.no, ".example,10.0.0.0/8");
        assert!(!format!("{config:?}").contains("canary"));
    }
    assert_eq!(load(None, &[("HTTPS_PROXY", "")]).unwrap().proxies, Proxies::default());
    // In lower case it wins, in whatever order; an empty one says nothing.
    let mut both = [("https_proxy", http), ("HTTPS_PROXY", https)];
    for _ in 0..2 {
        assert_eq!(load(None, &both).unwrap().proxies.https.expose(), http);
        both.reverse();
    }
    let empty = [("https_proxy", ""), ("HTTPS_PROXY", https), ("no_proxy", ""), ("NO_PROXY", "a.example")];
    let proxies = load(None, &empty).unwrap().proxies;
    assert_eq!((proxies.https.expose(), proxies.no.as_str()), (https, "a.example"));
    let invalid = std::os::unix::ffi::OsStringExt::from_vec(b"http://canary\xff".to_vec());
    let invalid =
        Config::from_sources(None, [("HTTP_PROXY".into(), invalid)].into_iter()).unwrap_err().to_string();
    assert!(invalid.contains("HTTP_PROXY is not valid UTF-8") && !invalid.contains("canary"), "{invalid}");
    for wrong in ["https://user:canary@proxy.example", "socks5://canary", "http://", "canary canary"] {
        let refusal = refusal(None, &[("https_proxy", wrong)]);
        let expected = "the environment variable https_proxy must be the address of a proxy";
        assert!(refusal.contains(expected) && !refusal.contains("canary"), "{refusal}");
    }
}
