//! Generates the reference pages of the book from the program itself, below the folder that it is given. `cargo xtask reference` runs it; a
//! test compares.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Command;
use esoz::{MetricDescription, MetricKind, MetricLabel};
use serde_json::{Map, Value};

#[path = "reference/records.rs"]
mod records;
#[path = "reference/sequences.rs"]
mod sequences;
#[path = "reference/status_model.rs"]
mod status_model;

fn main() -> Result<()> {
    let docs = PathBuf::from(std::env::args_os().nth(1).context("where is docs/?")?);
    for (name, text) in pages()? {
        let path = docs.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Generates every page: its path under `docs/`, and its text.
pub(crate) fn pages() -> Result<Vec<(&'static str, String)>> {
    let mut pages = vec![
        ("reference/command-line.md", command_line_page()?),
        ("reference/errors.md", errors_page()?),
        ("reference/metrics.md", metrics_page()?),
        ("reference/records.md", records::page()?),
        ("reference/status-model.md", status_model::page()?),
        ("reference/status-model.svg", status_model::drawing()?),
    ];
    pages.extend(sequences::drawings()?);
    Ok(pages)
}

fn command_line_page() -> Result<String> {
    let mut page = String::from(
        "# Command line\n\nEvery command with its help, as `esoz … --help` prints it. `esoz completions` prints shell completions, `esoz man` a manual page.\n",
    );
    let mut root = esoz::command();
    // Propagates global options to subcommands.
    root.build();
    describe(&root, &mut page)?;
    Ok(page)
}

fn describe(command: &Command, page: &mut String) -> Result<()> {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let help = command.clone().render_help();
    writeln!(page, "\n## {name}\n\n```text\n{}\n```", help.to_string().trim_end())?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        describe(subcommand, page)?;
    }
    Ok(())
}

/// Refusals that the default configuration never makes: how the message begins, and the key that switches them on.
const OFF_BY_DEFAULT: [(&str, &str); 7] = [
    ("Patient is not active", "device_dispense.active_patients"),
    ("Patient is not verified", "device_dispense.verified_patients"),
    ("Division is not verified in DLS", "device_dispense.division_dls_verify"),
    ("The ratio of requested discount amount", "device_dispense.discount_deviation"),
    ("Invalid LegalEntity type", "legal_entity.allowed_types"),
    ("This client has sent too many requests", "rate_limit.requests_per_second"),
    ("Too many authentications from this address", "rate_limit.failed_authentications_per_minute"),
];

/// Requires that each of [`OFF_BY_DEFAULT`] is off in the example configuration, which has the defaults.
fn require_off_by_default() -> Result<()> {
    let defaults: toml::Table = include_str!("../../../docs/esoz.example.toml").parse()?;
    for (_, name) in OFF_BY_DEFAULT {
        let (section, key) = name.split_once('.').context("a section and a key")?;
        let value = defaults.get(section).and_then(|section| section.get(key));
        let is_off = match value {
            Some(toml::Value::Boolean(is_on)) => !is_on,
            Some(toml::Value::Integer(limit)) => *limit == 0,
            Some(toml::Value::Array(items)) => items.is_empty(),
            Some(toml::Value::String(text)) => text.is_empty(),
            _ => false,
        };
        ensure!(is_off, "{name} is not off by default any more");
    }
    Ok(())
}

/// Lists the error responses of every method, from the OpenAPI description.
fn errors_page() -> Result<String> {
    require_off_by_default()?;
    let mut document: Value =
        serde_json::from_str(&esoz_http::openapi().context("the OpenAPI description")?)?;
    // One order of methods, whatever features serde_json is built with.
    document.sort_all_objects();
    let mut page = String::from(
        "# Errors\n\nEvery answer of a method, and of the request inspector, but its success, with the type and the message that `error` has. Where several things are wrong with a request, the first \
         rule that fails answers. `$.…` is the property that the message is about: `error.invalid` names it, with one entry for each fault. The texts, spelling included, are part of the protocol. \
         A refusal that is *off* is not made with the default configuration: the key behind it switches it on ([configuration](configuration.md)).\n",
    );
    for (path, verbs) in object(document.get("paths")).filter(|(path, _)| path.starts_with("/api/")) {
        for (verb, operation) in object(Some(verbs)) {
            let summary = text(operation, "summary").context("a summary")?;
            write!(
                page,
                "\n## {summary}\n\n`{} {path}`\n\n| status | type | message | at |\n|---|---|---|---|\n",
                verb.to_uppercase()
            )?;
            for row in rows(&document, operation) {
                writeln!(page, "{row}")?;
            }
        }
    }
    page.push_str(
        "\n## The request inspector\n\n`GET /`, its files and its stream, and `GET /docs/samples.json`, where `http.inspector` is on\n\n\
         | status | type | message |\n|---|---|---|\n",
    );
    for (status, kind, message) in esoz_http::inspector_refusals() {
        writeln!(page, "| {status} | `{kind}` | {message} |")?;
    }
    for (message, _) in OFF_BY_DEFAULT {
        ensure!(page.contains(message), "no method refuses with {message:?} any more");
    }
    Ok(page)
}

fn object(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn rows(document: &Value, operation: &Value) -> Vec<String> {
    let mut rows = Vec::new();
    for (status, response) in object(operation.get("responses")) {
        let shared =
            text(response, "$ref").and_then(|reference| document.pointer(reference.strip_prefix('#')?));
        let response = shared.unwrap_or(response);
        for (_, content) in object(response.get("content")) {
            for (_, example) in object(content.get("examples")) {
                if let Some(error) = example.pointer("/value/error")
                    && let (Some(kind), Some(message)) = (text(error, "type"), text(error, "message"))
                {
                    rows.push(format!(
                        "| {status} | `{kind}` | {message}{} | {} |",
                        off(message),
                        faults(error)
                    ));
                }
            }
        }
    }
    // Examples that differ only in their values, e.g. a status in the message, are one row.
    rows.dedup();
    rows
}

/// What stands behind a message that the default configuration never gives.
fn off(message: &str) -> String {
    let switch = OFF_BY_DEFAULT.iter().find(|(start, _)| message.starts_with(start));
    switch.map(|(_, key)| format!(" (*off*: `{key}`)")).unwrap_or_default()
}

/// The properties that `error.invalid` names, each with its description where that differs from the message.
fn faults(error: &Value) -> String {
    let invalid = error.get("invalid").and_then(Value::as_array).into_iter().flatten();
    let faults = invalid.filter_map(|fault| {
        let (entry, rule) = (text(fault, "entry")?, fault.pointer("/rules/0")?);
        let description = text(rule, "description")?;
        let is_said = text(error, "message") == Some(description);
        Some(if is_said {
            format!("`{entry}`")
        } else {
            format!("`{entry}`: {description}{}", off(description))
        })
    });
    faults.collect::<Vec<_>>().join("<br>")
}

/// Lists every metric, with its labels and buckets.
fn metrics_page() -> Result<String> {
    let mut page = String::from(
        "# Metrics\n\n\
         `GET /metrics`, at the address `metrics.bind`, answers in the Prometheus text format (0.0.4). It has no access control: bind it \
         where only Prometheus reaches it. Each replica exports its own metrics; they start anew when it starts. Durations are in seconds. \
         No label ever holds an id, a token or a path.\n\n\
         [A dashboard for Grafana](../operations/grafana-dashboard.json) and [alerting rules](../operations/alerts.yml) use them.\n",
    );
    for MetricDescription { name, kind, help, labels } in esoz::metrics() {
        write!(page, "\n## `{name}`\n\nA {}. {help}\n", kind.as_str())?;
        if !labels.is_empty() {
            page.push_str("\n| label | values |\n|---|---|\n");
        }
        for MetricLabel { name, values, summary } in labels {
            let listed = || values().iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
            writeln!(page, "| `{name}` | {} |", summary.map_or_else(listed, str::to_owned))?;
        }
        if let MetricKind::Histogram(bounds) = kind {
            let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
            write!(page, "\nBuckets up to {}, +Inf.\n", bounds.join(", "))?;
        }
    }
    Ok(page)
}
