//! Impossible and missing values are refused.

use esoz_registries_remote::RegistryKind;

use super::*;
use crate::features::Feature;

#[test]
fn impossible_values_are_refused_with_key_and_source() {
    for (name, value, expected) in [
        (
            "ESOZ_HTTP__BIND",
            "nowhere",
            "`http.bind` must be a port, or an IP address or a host name with a port",
        ),
        ("ESOZ_METRICS__BIND", "metrics", "`metrics.bind` must be a port, or an IP address or a host name"),
        ("ESOZ_HTTP__PUBLIC_URL", "esoz.example", "`http.public_url` must be empty or a URL"),
        (
            "ESOZ_HTTP__TRUSTED_PROXIES",
            "10.0.0.0/33",
            "`http.trusted_proxies` must hold addresses and networks",
        ),
        ("ESOZ_HTTP__TRUSTED_PROXIES", "proxy.example", "not \"proxy.example\""),
        (
            "ESOZ_HTTP__TRUSTED_PROXIES",
            "10.0.0.1,::ffff:10.0.0.0/104",
            "must hold IPv4 networks as such, 10.0.0.0/8 instead of ::ffff:10.0.0.0/104, not \"::ffff:10.0.0.0/104\"",
        ),
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
        #[cfg(feature = "otlp")]
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
fn everything_that_is_wrong_is_told_at_once_and_each_once() {
    let file = "[http]\nbnd = 1\nworkers = \"two\"\n[htp]\na = 1\nb = 2\n[cache]\nttl_ms = 4000000\n[kafka]\nbrokers = 9092\n";
    let variables = [
        ("ESOZ_LOG__LEVEL", "loud"),
        ("ESOZ_HTTP_DRAIN_MS", "1"),
        ("ESOZ_STORE__KIND", "servers"),
        ("ESOZ_CACHE__MAX_ENTRIES", "many"),
    ];
    let refusal = refusal(Some(file), &variables);
    let problems: Vec<&str> = refusal.lines().skip(1).map(str::trim_start).collect();
    let mut expected = [
        "unknown key `http.bnd`",
        "`http.workers` in /",
        "unknown section `htp`",
        "`kafka.brokers` in /",
        "unknown environment variable ESOZ_HTTP_DRAIN_MS (did you mean ESOZ_HTTP__DRAIN_MS?)",
        "`cache.max_entries` in the environment variable",
        "`cache.ttl_ms` must be from 0 to 3600000, not 4000000",
        "neither `postgres.url` nor `postgres.url_file` is set",
        "neither `mongodb.uri` nor `mongodb.uri_file` is set",
        "`log.level` must be",
    ]
    .to_vec();
    if !Feature::Servers.is_built() {
        expected.push("`store.kind` is `servers`, which needs a build");
    }
    assert_eq!(problems.len(), expected.len(), "{refusal}");
    expected.retain(|expected| !problems.iter().any(|problem| problem.starts_with(expected)));
    assert_eq!(expected, [""; 0], "{refusal}");
}

#[test]
fn of_a_file_that_cannot_be_read_no_value_is_missed() {
    let refusal =
        refusal(Some("[patient\n"), &[("ESOZ_STORE__KIND", "servers"), ("ESOZ_HTTP__WORKERS", "x")]);
    assert!(refusal.contains("line 1") && refusal.contains("`http.workers`"), "{refusal}");
    assert!(!refusal.contains("is not set"), "{refusal}");
}

#[test]
fn an_address_to_listen_on_may_be_a_port_alone() {
    let config = load(Some("[http]\nbind = 8080\n"), &[("ESOZ_METRICS__BIND", "localhost:9100")]).unwrap();
    assert_eq!(config.bind().unwrap().resolve().unwrap(), ["127.0.0.1:8080".parse().unwrap()]);
    assert!(config.metrics_bind().unwrap().is_some());
    let refusal = refusal(Some("[http]\nbind = 65536\n"), &[]);
    assert!(refusal.contains("`http.bind` must be a port"), "{refusal}");
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
    let nothing = refusal_of(&[("ESOZ_STORE__KIND", "servers")]);
    for missing in [
        "neither `postgres.url` nor `postgres.url_file` is set, but `store.kind` is `servers`",
        "neither `mongodb.uri` nor `mongodb.uri_file` is set",
        "`kafka.brokers` is not set",
    ] {
        assert_eq!(nothing.matches(missing).count(), 1, "{missing}: {nothing}");
    }
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
fn registries_are_in_the_store_unless_they_are_asked_over_http() {
    let kinds = |variables: &[(&str, &str)]| {
        let kinds = load(None, variables).unwrap().remote_registries().unwrap();
        kinds.into_iter().map(RegistryKind::as_str).collect::<Vec<_>>()
    };
    let url = ("ESOZ_REGISTRIES__URL", "https://registries.example");
    let http = ("ESOZ_REGISTRIES__SOURCE", "http");
    assert_eq!(kinds(&[url, ("ESOZ_REGISTRIES__KINDS", "persons")]), [""; 0]);
    assert_eq!(kinds(&[url, http]).len(), 8);
    assert_eq!(
        kinds(&[url, http, ("ESOZ_REGISTRIES__KINDS", "employees,persons,employees")]),
        ["persons", "employees"]
    );
    for (variable, expected) in [
        (("ESOZ_REGISTRIES__SOURCE", "ftp"), "`registries.source` must be `store` or `http`"),
        (
            ("ESOZ_REGISTRIES__KINDS", "people"),
            "`registries.kinds` has a name that is not one of legal_entities, ",
        ),
        (("ESOZ_REGISTRIES__KINDS", "persons,program_devices"), "`registries.kinds` must have both"),
        (
            ("ESOZ_REGISTRIES__TOKEN_FILE", "/nowhere"),
            "`registries.token_file` names a file that cannot be used",
        ),
        (("ESOZ_REGISTRIES__TIMEOUT_MS", "0"), "`registries.timeout_ms` must be from 1 to 60000, not 0"),
    ] {
        let refusal = refusal(None, &[url, http, variable]);
        assert!(refusal.contains(expected), "{refusal}");
    }
    let refusal = refusal(
        None,
        &[
            http,
            ("ESOZ_REGISTRIES__KINDS", "people"),
            ("ESOZ_REGISTRIES__TOKEN", "canary"),
            ("ESOZ_REGISTRIES__TOKEN_FILE", "/nowhere"),
        ],
    );
    for expected in [
        "`registries.url` is not set, but `registries.source` is `http`",
        "`registries.kinds` has a name",
        "`registries.token` and `registries.token_file` are both set",
    ] {
        assert!(refusal.contains(expected), "{refusal}");
    }
    assert!(!refusal.contains("canary"), "{refusal}");
}
