//! Every query of the dashboard and of the alerts, held against the table and against what a running server shows.

use std::collections::BTreeSet;
use std::path::Path;

use esoz::{MetricDescription as Described, MetricKind, metrics};
use esoz_tests::{Kind, Scrape, on_every_store};
use regex::Regex;
use serde_json::Value;

use crate::promql::{self, Matcher, Query, Selector};
use crate::traffic::{busy, settled};
use crate::{OF_SERVERS, OF_TLS};

/// What Prometheus adds to all that it reads from one server.
const TARGET: [&str; 2] = ["job", "instance"];

fn operations(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations").join(file);
    std::fs::read_to_string(path).unwrap()
}

fn alerts() -> Vec<Value> {
    let rules: Value = serde_saphyr::from_str(&operations("alerts.yml")).unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap()).cloned().collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&operations("grafana-dashboard.json")).unwrap()
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

/// Where each query stands, and the query, Grafana's variables replaced by what they may be.
fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let shown = panels(&dashboard).into_iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "a panel without a query: {panel}");
        targets.iter().map(|target| {
            let text = target["expr"].as_str().unwrap();
            let text = text.replace("$__rate_interval", "5m").replace("$job", ".*");
            assert!(!text.contains('$'), "a variable that nothing sets: {text}");
            (panel["title"].as_str().unwrap().to_owned(), text)
        })
    });
    let shown: Vec<_> = shown.collect();
    let told = alerts().into_iter().map(|alert| {
        (alert["alert"].as_str().unwrap().to_owned(), alert["expr"].as_str().unwrap().to_owned())
    });
    shown.into_iter().chain(told).collect()
}

fn read(place: &str, text: &str) -> Query {
    promql::read(text).unwrap_or_else(|error| panic!("{place}: {error}"))
}

/// The metric that a selector reads, and the labels that its series have.
fn metric(selector: &Selector) -> (Described, Vec<&'static str>) {
    let part = ["_bucket", "_sum", "_count"].into_iter().find(|end| selector.name.ends_with(end));
    let found = metrics().into_iter().find(|metric| match metric.kind {
        MetricKind::Histogram(_) => {
            part.is_some_and(|part| selector.name.strip_suffix(part) == Some(metric.name))
        }
        MetricKind::Counter | MetricKind::Gauge => selector.name == metric.name,
    });
    let metric = found.unwrap_or_else(|| panic!("{} is no metric", selector.name));
    let mut labels: Vec<_> = metric.labels.iter().map(|label| label.name).chain(TARGET).collect();
    labels.extend((part == Some("_bucket")).then_some("le"));
    (metric, labels)
}

fn fits(matcher: &Matcher, value: &str) -> bool {
    let pattern = || Regex::new(&format!("^(?:{})$", matcher.value)).unwrap();
    match matcher.operator.as_str() {
        "=" => value == matcher.value,
        "!=" => value != matcher.value,
        "=~" => pattern().is_match(value),
        "!~" => !pattern().is_match(value),
        other => panic!("no operator: {other}"),
    }
}

/// How many series of a server the selector reads.
fn matched(selector: &Selector, scrape: &Scrape) -> usize {
    let fits_all =
        |sample: &&esoz_tests::Sample| {
            sample.name == selector.name
                && selector.matchers.iter().filter(|matcher| !TARGET.contains(&matcher.label.as_str())).all(
                    |matcher| fits(matcher, sample.labels.get(&matcher.label).map_or("", String::as_str)),
                )
        };
    scrape.samples.iter().filter(fits_all).count()
}

on_every_store! {
    async fn each_reads_what_a_server_shows_or_will_show_when_it_fails(kind) {
        let busy = busy(kind).await;
        let scrape = settled(&busy.app).await;
        let mut only_possible = BTreeSet::new();
        for (place, text) in queries() {
            for selector in read(&place, &text).selectors {
                if matched(&selector, &scrape) > 0 {
                    continue;
                }
                let (metric, _) = metric(&selector);
                for matcher in selector.matchers.iter().filter(|matcher| !TARGET.contains(&matcher.label.as_str())) {
                    let label = metric.labels.iter().find(|label| label.name == matcher.label).unwrap();
                    let is_possible = (label.values)().iter().any(|value| fits(matcher, value));
                    assert!(is_possible, "{place}: no {} can be as {matcher:?} wants it", metric.name);
                }
                only_possible.insert((place.clone(), metric.name));
            }
        }
        // What nothing but trouble shows, and what this kind of store does not have. Anything else must be there.
        let failing = |metric| ["esoz_http_requests_total", "esoz_store_operation_duration_seconds"].contains(&metric);
        let absent = |metric| metric == OF_TLS || kind == Kind::Sqlite && OF_SERVERS.contains(&metric);
        for (place, metric) in only_possible {
            let is_of_servers = kind == Kind::Sqlite && place == "EsozIndexesMissing";
            assert!(failing(metric) || absent(metric) || is_of_servers, "{place}: no series of {metric} fits");
        }
    }
}

#[test]
fn each_is_sound_by_the_table() {
    let mut used = BTreeSet::new();
    for (place, text) in queries() {
        let query = read(&place, &text);
        assert!(!query.selectors.is_empty(), "{place}: {text}");
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for selector in &query.selectors {
            let (metric, labels) = metric(selector);
            for matcher in &selector.matchers {
                assert!(
                    labels.contains(&matcher.label.as_str()),
                    "{place}: {matcher:?} of {}",
                    selector.name
                );
            }
            let only_grows = !matches!(metric.kind, MetricKind::Gauge);
            match selector.over_time {
                Some("rate" | "increase") => assert!(only_grows, "{place}: {} may fall", selector.name),
                Some(_) => assert!(!only_grows, "{place}: {} only grows", selector.name),
                None => assert!(!only_grows, "{place}: {} alone tells nothing", selector.name),
            }
            known.extend(labels);
            used.insert(metric.name);
        }
        for grouping in &query.groupings {
            assert!(known.contains(grouping.as_str()), "{place}: nothing has the label {grouping}");
        }
    }
    let all: BTreeSet<&str> = metrics().iter().map(|metric| metric.name).collect();
    assert_eq!(used, all, "each metric is there for somebody");
}

#[test]
fn an_alert_says_what_is_wrong_and_what_to_do() {
    let alerts = alerts();
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert["alert"].as_str().unwrap()).collect();
    assert_eq!(names.len(), alerts.len(), "two alerts have one name");
    for alert in &alerts {
        let name = alert["alert"].as_str().unwrap();
        assert!(name.starts_with("Esoz"), "{name}");
        let severity = alert["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning"].contains(&severity), "{name}: {severity}");
        let query = read(name, alert["expr"].as_str().unwrap());
        for annotation in ["summary", "description"] {
            let text = alert["annotations"][annotation].as_str().unwrap();
            assert!(text.ends_with('.'), "{name}: {text}");
            for named in text.split("$labels.").skip(1) {
                let end = named.find(|one: char| !one.is_ascii_alphabetic() && one != '_').unwrap();
                let label = &named[..end];
                let is_kept = query.groupings.iter().any(|grouping| grouping == label);
                assert!(is_kept, "{name}: the query has no {label} left to tell of");
            }
        }
    }
}

#[test]
fn the_dashboard_can_be_imported_and_asks_the_chosen_source() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 41);
    assert_eq!(dashboard["id"], Value::Null, "an id is the importing Grafana's to give");
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let kinds: Vec<_> =
        variables.iter().map(|one| (one["name"].as_str().unwrap(), one["type"].as_str().unwrap())).collect();
    assert_eq!(kinds, [("datasource", "datasource"), ("job", "query")]);
    assert_eq!(variables[1]["query"]["query"], "label_values(esoz_build_info, job)");
    let source = serde_json::json!({"type": "prometheus", "uid": "${datasource}"});
    let mut ids = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{title}");
        assert_eq!(panel["datasource"], source, "{title}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], source, "{title}");
            let text = target["expr"].as_str().unwrap();
            for selector in read(title, &text.replace("$__rate_interval", "5m")).selectors {
                let is_of_the_job =
                    selector.matchers.iter().any(|one| one.label == "job" && one.value == "$job");
                assert!(is_of_the_job, "{title}: {text} reads other jobs too");
            }
        }
    }
}
