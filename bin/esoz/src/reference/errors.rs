use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

/// What both methods can answer but a success, from the published description.
pub(super) fn page() -> Result<String> {
    let document: Value = serde_json::from_str(&esoz_http::openapi().context("the description")?)?;
    let mut page = String::from(
        "# Errors\n\nEvery answer of a method but its success, with the type and the message that `error` has. Where several things are wrong with a request, the first \
         rule that fails answers. `$.…` is the property that the message is about: `error.invalid` names it, with one entry for each fault. The texts, spelling included, are part of the protocol.\n",
    );
    for (path, verbs) in object(document.get("paths")).filter(|(path, _)| path.starts_with("/api/")) {
        for (verb, operation) in object(Some(verbs)) {
            let summary = operation.get("summary").and_then(Value::as_str).context("a summary")?;
            write!(
                page,
                "\n## {summary}\n\n`{} {path}`\n\n| status | type | message | at |\n|---|---|---|---|\n",
                verb.to_uppercase()
            )?;
            for row in rows(operation) {
                writeln!(page, "{row}")?;
            }
        }
    }
    Ok(page)
}

fn object(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn rows(operation: &Value) -> Vec<String> {
    let mut rows = Vec::new();
    for (status, response) in object(operation.get("responses")) {
        for (_, content) in object(response.get("content")) {
            for (_, example) in object(content.get("examples")) {
                if let Some(error) = example.pointer("/value/error")
                    && let (Some(kind), Some(message)) = (text(error, "type"), text(error, "message"))
                {
                    rows.push(format!("| {status} | `{kind}` | {message} | {} |", faults(error)));
                }
            }
        }
    }
    // Two examples of one answer, as of a status in its text, are one kind of error to a client.
    rows.dedup();
    rows
}

/// What `error.invalid` names, and why where the message does not say.
fn faults(error: &Value) -> String {
    let invalid = error.get("invalid").and_then(Value::as_array).into_iter().flatten();
    let faults = invalid.filter_map(|fault| {
        let (entry, rule) = (text(fault, "entry")?, fault.pointer("/rules/0")?);
        let description = text(rule, "description")?;
        let is_said = text(error, "message") == Some(description);
        Some(if is_said { format!("`{entry}`") } else { format!("`{entry}`: {description}") })
    });
    faults.collect::<Vec<_>>().join("<br>")
}
