//! What a build lacks is refused by the name of the feature.

use super::*;
use crate::features::{Feature, VERSION};

#[test]
fn what_the_build_lacks_is_refused_with_key_feature_and_source_and_once() {
    let servers = [
        ("ESOZ_STORE__KIND", "servers"),
        ("ESOZ_POSTGRES__URL", "postgres://localhost/esoz"),
        ("ESOZ_MONGODB__URI", "mongodb://localhost"),
        ("ESOZ_KAFKA__BROKERS", "localhost:9092"),
    ];
    let kafka = [("ESOZ_EVENTS__BUS", "kafka"), ("ESOZ_KAFKA__BROKERS", "localhost:9092")];
    for (feature, variables, expected) in [
        (
            Feature::Sqlite,
            &[("ESOZ_STORE__KIND", "sqlite")][..],
            "`store.kind` is `sqlite`, which needs a build with the feature `sqlite` (from the environment variable ESOZ_STORE__KIND)",
        ),
        (
            Feature::Servers,
            &servers,
            "`store.kind` is `servers`, which needs a build with the feature `servers` (from the environment variable ESOZ_STORE__KIND)",
        ),
        (
            Feature::Servers,
            &kafka,
            "`events.bus` is `kafka`, which needs a build with the feature `servers` (from the environment variable ESOZ_EVENTS__BUS)",
        ),
        (
            Feature::Otlp,
            &[("ESOZ_TRACING__ENDPOINT", "http://localhost:4318/v1/traces")],
            "`tracing.endpoint` is set, which needs a build with the feature `otlp` (from the environment variable ESOZ_TRACING__ENDPOINT)",
        ),
    ] {
        let refused = load(None, variables).err().map(|error| format!("{error:#}")).unwrap_or_default();
        let times = usize::from(!feature.is_built());
        assert_eq!(refused.matches(expected).count(), times, "{expected}: {refused}");
    }
}

#[test]
fn the_version_tells_the_features_of_the_build() {
    assert!(VERSION.starts_with(concat!(env!("CARGO_PKG_VERSION"), " (features: ")), "{}", *VERSION);
    assert_eq!(VERSION.contains("sqlite"), Feature::Sqlite.is_built());
    assert_eq!(VERSION.contains("servers"), Feature::Servers.is_built());
}
