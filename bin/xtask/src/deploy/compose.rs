//! `deploy/compose.yaml`.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::checkers::{Deploy, record};
use super::container::{Container, Effective, Mounts, at, entries, list, text, texts, variables};
use crate::steps::Steps;

const FILE: &str = "deploy/compose.yaml";

/// The service that makes what the others mount, below this folder.
const CREDENTIALS: &str = "credentials";
const CREDENTIALS_FOLDER: &str = "/credentials/";

/// Holds the file to the Compose specification, and the configurations in it to the programs that read them.
pub(super) fn check(steps: &mut Steps, deploy: &Deploy) -> Result<()> {
    let mut schema = deploy.module("check_jsonschema");
    schema.args(["--builtin-schema", "vendor.compose-spec"]).arg(steps.path(FILE));
    steps.run("deploy: the Compose file", schema);

    let content = fs::read_to_string(steps.path(FILE)).with_context(|| format!("reading {FILE}"))?;
    let compose: Value = serde_saphyr::from_str(&content).with_context(|| format!("{FILE} is no YAML"))?;
    let services = at(&compose, "/services").as_object().context("there are no services")?;
    let began = Instant::now();
    record(steps, "deploy: services know each other", began, &faults(steps, &compose, services));

    service(steps, deploy, services, "migrate")?.check(steps, deploy)?;
    let serve = service(steps, deploy, services, "esoz")?.check(steps, deploy)?;
    let metrics = prometheus(steps, deploy, services)?;
    if let Some(effective) = serve {
        let began = Instant::now();
        let faults = mismatches(at(&compose, "/services/esoz"), &effective, &metrics);
        record(steps, "deploy: the service fits its configuration", began, &faults);
    }
    Ok(())
}

/// What the schema cannot see: services, volumes and files that are named and not there.
fn faults(steps: &Steps, compose: &Value, services: &Map<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, service) in services {
        for (other, how) in entries(service, "/depends_on") {
            match services.get(other) {
                None => faults.push(format!("{name} waits for {other}, which there is not")),
                Some(other_service)
                    if text(how, "/condition") == Some("service_healthy")
                        && other_service.get("healthcheck").is_none() =>
                {
                    faults.push(format!("{name} waits until {other} is healthy, which has no health check"));
                }
                Some(_) => {}
            }
        }
        for (source, _) in volumes(service) {
            let is_there = if is_file(&source) {
                steps.path("deploy").join(&source).exists()
            } else {
                at(compose, "/volumes").get(&source).is_some()
            };
            if !is_there {
                faults.push(format!("{name} mounts {source}, which there is not"));
            }
        }
    }
    faults
}

/// What of the service contradicts its configuration.
fn mismatches(service: &Value, effective: &Effective, scraped: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let port = effective.port("http.bind").map(|port| format!(":{port}")).unwrap_or_default();
    if !texts(service, "/ports").iter().any(|published| published.ends_with(&port)) {
        faults.push(format!("the port of http.bind, {port}, is not published"));
    }
    let metrics = effective.port("metrics.bind").map(|port| format!("esoz:{port}"));
    if metrics.is_none_or(|metrics| !scraped.contains(&metrics)) {
        faults.push(format!("metrics.bind is not what Prometheus asks: {scraped:?}"));
    }
    let grace = text(service, "/stop_grace_period").and_then(|grace| grace.strip_suffix('s')?.parse().ok());
    faults.extend(effective.grace_fault(grace.unwrap_or_default()));
    faults
}

/// The container of a service.
fn service(steps: &Steps, deploy: &Deploy, services: &Map<String, Value>, name: &str) -> Result<Container> {
    let service = services.get(name).with_context(|| format!("there is no service {name}"))?;
    let credentials: Vec<_> = services.get(CREDENTIALS).into_iter().flat_map(volumes).collect();
    let mut mounts = Mounts::default();
    for (source, inside) in volumes(service) {
        let made = credentials.iter().find(|(volume, _)| *volume == source);
        if let Some(folder) = made.and_then(|(_, path)| path.strip_prefix(CREDENTIALS_FOLDER)) {
            mounts.folder(&inside, &deploy.credentials.join(folder));
        } else if is_file(&source) {
            mounts.file(&inside, &steps.path("deploy").join(&source));
        }
    }
    Ok(Container {
        name: format!("Compose {name}"),
        command: texts(service, "/command"),
        environment: variables(service, "/environment"),
        mounts,
    })
}

/// Has promtool check the files of Prometheus; gives what it asks for metrics.
fn prometheus(steps: &mut Steps, deploy: &Deploy, services: &Map<String, Value>) -> Result<Vec<String>> {
    let Container { mounts, .. } = service(steps, deploy, services, "prometheus")?;
    let mut asked = Vec::new();
    // The configuration names the rules, which must be beside it by then.
    for (name, kind) in [("alerts.yml", "rules"), ("prometheus.yml", "config"), ("web.yml", "web-config")] {
        let here = mounts.translate(&format!("/etc/prometheus/{name}"));
        let content = fs::read_to_string(&here).with_context(|| format!("reading {here}"))?;
        let file = deploy.write(&format!("prometheus/{name}"), &mounts.translate(&content))?;
        let mut promtool = Command::new(&deploy.promtool);
        promtool.args(["check", kind]).arg(file);
        steps.run(&format!("deploy: {name} of Prometheus"), promtool);
        if kind == "config" {
            let config: Value =
                serde_saphyr::from_str(&content).with_context(|| format!("{here} is no YAML"))?;
            let jobs = list(&config, "/scrape_configs");
            asked.extend(jobs.flat_map(|job| texts(job, "/static_configs/0/targets")));
        }
    }
    Ok(asked)
}

/// Whether what is mounted is a file of the repository, and no volume.
fn is_file(source: &str) -> bool {
    source.starts_with('.')
}

/// What a service mounts: volume or file, and the path in the container.
fn volumes(service: &Value) -> Vec<(String, String)> {
    let split = |volume: String| {
        let mut parts = volume.split(':');
        Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
    };
    texts(service, "/volumes").into_iter().filter_map(split).collect()
}
