//! What a running server shows is what the table says, no less and no more.

use std::collections::{BTreeMap, BTreeSet};

use esoz::{MetricDescription as Described, MetricKind, metrics};
use esoz_tests::{Kind, Scrape, TestApp, on_every_store};
use reqwest::Method;

use crate::traffic::{busy, settled};
use crate::{OF_SERVERS, OF_TLS};

fn table() -> BTreeMap<&'static str, Described> {
    metrics().into_iter().map(|metric| (metric.name, metric)).collect()
}

on_every_store! {
    async fn a_server_with_traffic_shows_each_metric_of_the_table_and_no_other(kind) {
        let busy = busy(kind).await;
        let scrape = settled(&busy.app).await;
        let table = table();
        for sample in &scrape.samples {
            let metric = &table[scrape.metric(sample)];
            assert_eq!(scrape.kinds[metric.name], metric.kind.as_str());
            assert_eq!(scrape.helps[metric.name], metric.help);
            let mut labels = sample.labels.clone();
            assert_eq!(labels.remove("le").is_some(), sample.name.ends_with("_bucket"), "{sample:?}");
            for label in &metric.labels {
                let value = labels.remove(label.name);
                let value = value.unwrap_or_else(|| panic!("{} is missing: {sample:?}", label.name));
                assert!((label.values)().contains(&value), "the table does not know {value}: {sample:?}");
            }
            assert!(labels.is_empty(), "the table does not know {labels:?} of {}", sample.name);
        }
        let shown: BTreeSet<&str> = scrape.samples.iter().map(|sample| scrape.metric(sample)).collect();
        let missing: Vec<&str> = table.keys().copied().filter(|name| !shown.contains(name)).collect();
        let expected: &[&str] = match kind {
            Kind::Sqlite => &OF_SERVERS,
            Kind::Servers => &[OF_TLS],
        };
        assert_eq!(missing, expected);
        for secret in &busy.secrets {
            assert!(!scrape.text.contains(secret.as_str()), "{secret} is shown");
        }
    }

    async fn buckets_are_those_of_the_table_and_add_up(kind) {
        let busy = busy(kind).await;
        let scrape = settled(&busy.app).await;
        for metric in table().values() {
            let MetricKind::Histogram(bounds) = metric.kind else { continue };
            let lines = |end: &str| {
                let name = format!("{}{end}", metric.name);
                scrape.samples.iter().filter(move |sample| sample.name == name).collect::<Vec<_>>()
            };
            for count in lines("_count") {
                let of_it: Vec<_> = lines("_bucket")
                    .into_iter()
                    .filter(|bucket| count.labels.iter().all(|(name, value)| bucket.labels[name] == *value))
                    .collect();
                assert_eq!(of_it.len(), bounds.len() + 1, "{}", metric.name);
                assert!(of_it.is_sorted_by(|one, next| one.value <= next.value));
                let last = of_it.last().unwrap();
                assert_eq!((last.labels["le"].as_str(), last.value), ("+Inf", count.value));
            }
        }
    }

    async fn metrics_have_an_address_of_their_own_with_nothing_else_there(kind) {
        let app = esoz_tests::Setup::new(kind).start().await;
        app.request(Method::GET, "/metrics").send().await.assert_not_found();
        for (method, path) in [
            (Method::GET, "/"),
            (Method::GET, "/metrics/"),
            (Method::GET, "/openapi.json"),
            (Method::GET, "/health/live"),
            (Method::POST, "/metrics"),
            (Method::HEAD, "/metrics"),
        ] {
            let status = app.at_metrics(method.clone(), path).await.status();
            assert_eq!(status, 404, "{method} {path}");
        }
        let scrape = app.scrape().await;
        assert_eq!(scrape.sum("esoz_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), Some(1.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_of_one_process_count_for_themselves() {
    let used = busy(Kind::Sqlite).await;
    let other: TestApp = esoz_tests::Setup::new(Kind::Sqlite).start().await;
    let sum = |scrape: &Scrape| scrape.sum("esoz_use_case_outcomes_total", &[("outcome", "ok")]);
    assert!(sum(&used.app.scrape().await).unwrap() > 0.0);
    assert_eq!(sum(&other.scrape().await), Some(0.0));
}

#[test]
fn names_are_as_prometheus_has_them() {
    for metric in metrics() {
        let Described { name, kind, help, labels } = metric;
        assert!(name.starts_with("esoz_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), kind == MetricKind::Counter, "{name}");
        assert!(!matches!(kind, MetricKind::Histogram(_)) || name.ends_with("_seconds"), "{name}");
        assert!(help.ends_with('.'), "{name}");
        for label in labels {
            assert!(label.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(!(label.values)().is_empty() && label.name != "le", "{name}");
            for value in (label.values)() {
                assert!(!value.contains(['"', '\\', '\n']), "{name} {value}");
            }
        }
    }
}
