//! The manifests for Kubernetes, as `kubectl` renders the example overlay.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::checkers::{Deploy, record, write};
use super::container::{Container, Effective, Mounts, at, entries, list, text, texts, variables};
use crate::openapi::DESCRIPTION;
use crate::steps::{Steps, say};

const OVERLAY: &str = "deploy/kubernetes/overlays/example";

/// The versions of Kubernetes whose schemas the manifests are held to: the oldest that they are meant for, and the newest that is there.
const VERSIONS: [&str; 2] = ["1.31.0", "1.37.0"];

/// Where a Deployment or Job has its pod, and a pod its container.
const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/containers/0";

/// Files of Secrets and ConfigMaps that are not in the repository, and what stands in for each.
const GIVEN: [(&str, &str); 9] = [
    ("esoz/postgres-url", "esoz/postgres-url"),
    ("esoz/mongodb-uri", "esoz/mongodb-uri"),
    ("esoz/kafka-password", "esoz/patient-key"),
    ("esoz/patient-key", "esoz/patient-key"),
    ("esoz/media-secret-access-key", "esoz/patient-key"),
    ("esoz-owner/postgres-owner-url", "owner/postgres-owner-url"),
    ("esoz-tls/tls.crt", "esoz/certificate.pem"),
    ("esoz-tls/tls.key", "esoz/key.pem"),
    ("esoz-authorities/servers.pem", "esoz/authority.pem"),
];

/// Renders the overlay and holds it to the schemas, to the configuration in it and to the published description.
pub(super) fn check(steps: &mut Steps, deploy: &Deploy) -> Result<()> {
    let manifests = render(steps, deploy)?;
    let rendered = deploy.scratch.join("manifests.yaml");
    for version in VERSIONS {
        let mut schema = deploy.module("kubernetes_validate");
        // It knows no kinds of others, and only warns of them: those that must be there are looked up below.
        schema.args(["--strict", "--quiet", "--no-warn", "--kubernetes-version", version]).arg(&rendered);
        steps.run(&format!("deploy: manifests for Kubernetes {version}"), schema);
    }
    let monitor =
        deploy.write("service-monitor.json", &manifests.find("ServiceMonitor", "esoz")?.to_string())?;
    let mut schema = deploy.module("check_jsonschema");
    schema.arg("--schemafile").arg(steps.path("tests/deploy/service-monitor.schema.json")).arg(monitor);
    steps.run("deploy: the ServiceMonitor", schema);

    for (wanted, given) in GIVEN {
        let content = fs::read_to_string(deploy.credentials.join(given))
            .with_context(|| format!("no {given} stands in for {wanted}"))?;
        write(&deploy.scratch.join("kubernetes").join(wanted), &content)?;
    }
    let job = manifests.find("Job", "esoz-migrate")?;
    manifests.container(deploy, "Kubernetes esoz-migrate", job)?.check(steps, deploy)?;
    let deployment = manifests.find("Deployment", "esoz")?;
    let container = manifests.container(deploy, "Kubernetes esoz", deployment)?;
    if let Some(effective) = container.check(steps, deploy)? {
        let began = Instant::now();
        let description = fs::read_to_string(steps.path(DESCRIPTION)).context("reading the description")?;
        let description: Value = serde_json::from_str(&description).context("the description is no JSON")?;
        let faults = faults(at(deployment, POD), &effective, &description);
        record(steps, "deploy: the Deployment fits its configuration", began, &faults);
    }
    Ok(())
}

/// What in the pod contradicts the configuration or the description of the API.
fn faults(pod: &Value, effective: &Effective, description: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let container = at(pod, CONTAINER);
    for (name, key) in [("https", "http.bind"), ("metrics", "metrics.bind")] {
        let mut ports = list(container, "/ports").filter(|port| text(port, "/name") == Some(name));
        let port = ports.find_map(|port| at(port, "/containerPort").as_u64());
        if port.is_none() || port != effective.port(key) {
            faults.push(format!("the port {name} is {port:?}, but {key} has {:?}", effective.port(key)));
        }
    }
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = text(container, &format!("/{probe}/httpGet/path")).unwrap_or_default();
        if at(description, "/paths").get(path).is_none() {
            faults.push(format!("{probe} asks for {path:?}, which the API does not have"));
        }
    }
    let grace = at(pod, "/terminationGracePeriodSeconds").as_u64().unwrap_or_default();
    faults.extend(effective.grace_fault(grace));
    faults
}

/// Has kubectl render the overlay.
fn render(steps: &mut Steps, deploy: &Deploy) -> Result<Manifests> {
    let began = Instant::now();
    say(&format!("\n▶ deploy: kubectl kustomize {OVERLAY}"));
    let mut kubectl = Command::new("kubectl");
    kubectl.arg("kustomize").arg(steps.path(OVERLAY)).stderr(Stdio::inherit());
    let output = kubectl.output().context("kubectl cannot be run: install version 1.27 or newer")?;
    ensure!(output.status.success(), "kubectl could not render {OVERLAY}: see above");
    let text = String::from_utf8(output.stdout).context("kubectl prints text")?;
    deploy.write("manifests.yaml", &text)?;
    let manifests = serde_saphyr::from_multiple(&text).context("what kubectl prints is no YAML")?;
    steps.record("deploy: the overlay is rendered", true, began.elapsed());
    Ok(Manifests(manifests))
}

/// The rendered manifests.
struct Manifests(Vec<Value>);

impl Manifests {
    fn find(&self, kind: &str, name: &str) -> Result<&Value> {
        let is_it =
            |one: &&Value| text(one, "/kind") == Some(kind) && text(one, "/metadata/name") == Some(name);
        self.0.iter().find(is_it).with_context(|| format!("there is no {kind} {name}"))
    }

    /// The container of a Deployment's or Job's pods, with the files of its volumes.
    fn container(&self, deploy: &Deploy, name: &str, workload: &Value) -> Result<Container> {
        let pod = at(workload, POD);
        let container = at(pod, CONTAINER);
        let mut mounts = Mounts::default();
        for mount in list(container, "/volumeMounts") {
            let volume = list(pod, "/volumes").find(|volume| at(volume, "/name") == at(mount, "/name"));
            let volume = volume.with_context(|| format!("{name}: a mount has no volume: {mount}"))?;
            let inside = text(mount, "/mountPath").context("a mount has a path")?;
            mounts.folder(inside, &self.volume(deploy, volume)?);
        }
        let mut environment = BTreeMap::new();
        for source in list(container, "/envFrom") {
            let map = text(source, "/configMapRef/name").unwrap_or_default();
            environment.extend(variables(self.find("ConfigMap", map)?, "/data"));
        }
        // Those of the container itself win.
        let variable = |one| Some((text(one, "/name")?.to_owned(), text(one, "/value")?.to_owned()));
        environment.extend(list(container, "/env").filter_map(variable));
        let command = texts(container, "/command");
        Ok(Container { name: name.to_owned(), command, environment, mounts })
    }

    /// The folder with a volume's files: of a ConfigMap that is rendered as well, or those that stand in.
    fn volume(&self, deploy: &Deploy, volume: &Value) -> Result<PathBuf> {
        let source = text(volume, "/configMap/name").or_else(|| text(volume, "/secret/secretName"));
        let source = source.with_context(|| format!("of what is this volume: {volume}"))?;
        let folder = deploy.scratch.join("kubernetes").join(source);
        if let Ok(map) = self.find("ConfigMap", source) {
            for (file, content) in entries(map, "/data") {
                write(&folder.join(file), content.as_str().unwrap_or_default())?;
            }
        }
        Ok(folder)
    }
}
