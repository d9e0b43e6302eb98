//! Section `kafka`: TLS, SASL and further settings of the client library.

use esoz_bus_kafka::{HAS_TLS, KafkaSettings};

use super::*;

/// Variables of a server whose broker is there, with these keys of section `kafka`.
fn kafka<'a>(brokers: &'a str, keys: &[(&'a str, &'a str)]) -> Result<KafkaSettings> {
    let names: Vec<String> =
        keys.iter().map(|(key, _)| format!("ESOZ_KAFKA__{}", key.to_uppercase())).collect();
    let keys = names.iter().zip(keys).map(|(name, (_, value))| (name.as_str(), *value));
    let variables: Vec<_> =
        [("ESOZ_EVENTS__BUS", "kafka"), ("ESOZ_KAFKA__BROKERS", brokers)].into_iter().chain(keys).collect();
    load(None, &variables)?.kafka()
}

fn refused(brokers: &str, keys: &[(&str, &str)]) -> String {
    format!("{:#}", kafka(brokers, keys).unwrap_err())
}

const LOCAL: &str = "localhost:9092";
const REMOTE: &str = "kafka.example:9092";
/// What a build without TLS says where it is needed.
const NEEDS_TLS: &str = "needs a build with the feature `kafka-tls`";

#[test]
fn tls_is_on_unless_every_broker_is_this_machine_or_it_is_off() {
    let roots = ("root_certificate_file", "/roots.pem");
    for (brokers, keys, is_on) in [
        (LOCAL, &[][..], false),
        (REMOTE, &[], true),
        (LOCAL, &[roots], true),
        (LOCAL, &[("tls", "on")], true),
        (REMOTE, &[("tls", "off")], false),
    ] {
        if is_on && !HAS_TLS {
            assert!(refused(brokers, keys).contains(NEEDS_TLS), "{brokers} {keys:?}");
            continue;
        }
        assert_eq!(kafka(brokers, keys).unwrap().tls.is_some(), is_on, "{brokers} {keys:?}");
    }
    for (keys, expected) in [
        (&[("tls", "off"), roots][..], "`kafka.tls` is `off`, but certificates for TLS are named"),
        (&[("tls", "yes")], "`kafka.tls` must be `auto`, `on` or `off`"),
        (&[("client_certificate_file", "/both.pem")], "`kafka.client_private_key_file`"),
    ] {
        let refused = refused(LOCAL, keys);
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn what_a_mechanism_needs_is_refused_when_it_is_missing_or_has_no_mechanism() {
    for (keys, expected) in [
        (&[("username", "esoz")][..], "`kafka.sasl_mechanism` is not set, but `kafka.username` is"),
        (&[("token_file", "/token")], "`kafka.sasl_mechanism` is not set, but `kafka.token_file` is"),
        (&[("sasl_mechanism", "PLAIN"), ("password", "canary")], "`kafka.username` is not set"),
        (
            &[("sasl_mechanism", "SCRAM-SHA-256"), ("username", "esoz")],
            "neither `kafka.password` nor `kafka.password_file`",
        ),
        (&[("sasl_mechanism", "OAUTHBEARER")], "`kafka.token_file` is not set"),
        (&[("sasl_mechanism", "GSSAPI")], "`kafka.sasl_mechanism` must be empty, `PLAIN`"),
    ] {
        let refused = refused(LOCAL, keys);
        assert!(refused.contains(expected) && !refused.contains("canary"), "{refused}");
    }
    let complete =
        [("sasl_mechanism", "SCRAM-SHA-512"), ("username", "esoz"), ("password_file", "/password")];
    if HAS_TLS {
        assert!(kafka(LOCAL, &complete).unwrap().sasl.is_some());
    } else {
        assert!(refused(LOCAL, &complete).contains(NEEDS_TLS));
    }
}

#[test]
fn further_settings_are_taken_from_file_and_variable_as_texts() {
    let file = "[kafka.properties]\n\"socket.keepalive.enable\" = true\n\"socket.max.fails\" = 3\n\"client.rack\" = \"a\"\n";
    let variable = r#"{ "socket.keepalive.enable" = true, "socket.max.fails" = 3, "client.rack" = "a" }"#;
    for config in [load(Some(file), &[]), load(None, &[("ESOZ_KAFKA__PROPERTIES", variable)])] {
        let properties = config.unwrap().sections.kafka.properties;
        let shown: Vec<_> = properties.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(
            shown,
            [("client.rack", "a"), ("socket.keepalive.enable", "true"), ("socket.max.fails", "3")]
        );
    }
    for (properties, expected) in [
        ("{ \"acks\" = 0 }", "acks"),
        ("{ \"no.such.setting\" = 1 }", "no.such.setting"),
        ("{ \"client.rack\" = [\"canary\"] }", "must be a table of texts, numbers and truth values"),
        ("client.rack=canary", "must be a table of texts, numbers and truth values"),
    ] {
        let refused = refused(LOCAL, &[("properties", properties)]);
        assert!(refused.contains("`kafka.properties`") && refused.contains(expected), "{refused}");
        assert!(!refused.contains("canary"), "{refused}");
    }
}

#[test]
fn further_settings_that_may_hold_a_secret_are_masked() {
    let secrets = [
        "sasl.kerberos.kinit.cmd",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.extensions",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
    ];
    let lines = secrets.map(|name| format!("\"{name}\" = \"canary\"\n"));
    let file = format!("[kafka.properties]\n\"client.rack\" = \"shown\"\n{}", lines.concat());
    let config = load(Some(&file), &[]).unwrap();
    let effective = format!("{:?}", config.effective().unwrap());
    assert!(effective.contains("shown") && !effective.contains("canary"), "{effective}");
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn one_copy_of_the_topic_is_told_unless_this_machine_has_the_only_broker() {
    for (brokers, replication, is_told) in [
        (LOCAL, "1", false),
        ("localhost:9092,localhost:9093", "1", true),
        ("kafka.example:9092", "1", true),
        ("a.example:9092,b.example:9092", "1", true),
        ("a.example:9092,b.example:9092", "3", false),
    ] {
        let variables = [
            ("ESOZ_EVENTS__BUS", "kafka"),
            ("ESOZ_KAFKA__BROKERS", brokers),
            ("ESOZ_KAFKA__TLS", "off"),
            ("ESOZ_KAFKA__REPLICATION", replication),
        ];
        let told = load(None, &variables).unwrap().single_replica().unwrap();
        assert_eq!(told.is_some(), is_told, "{brokers} {replication}");
        assert!(told.is_none_or(|told| told.starts_with("`kafka.replication` is 1: ")));
    }
}
