//! `cargo xtask schemathesis`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::openapi::DESCRIPTION;
use crate::service::{Service, built};
use crate::steps::{Steps, say};
use crate::tools;

/// Its settings, hooks and requirements, in `tests`.
const FOLDER: &str = "schemathesis";

/// Holds a running server against its description: so many requests that a machine made up, by somebody who may do everything and by
/// somebody who has no credentials. Then the server must be well, and have told nobody's secrets.
pub(crate) fn run(steps: &mut Steps, cases: u64, seed: u64, program: Option<PathBuf>) -> Result<()> {
    let python = tools::by_pip(steps, FOLDER)?;
    let program = match program {
        Some(program) => {
            fs::canonicalize(&program).with_context(|| format!("finding {}", program.display()))?
        }
        None => built(steps)?,
    };
    say("\n▶ schemathesis: a server on SQLite");
    // So many dispenses in progress that some are left at the end.
    let service = Service::start(steps, program, cases.max(1_000) / 2)?;
    for name in ["schemathesis.toml", "anonymous.toml", "hooks.py"] {
        let file = steps.path("tests").join(FOLDER).join(name);
        fs::copy(file, service.folder().join(name)).with_context(|| format!("copying {name}"))?;
    }
    let names = format!("\"{}\"\n", service.dispenses.join("\"\n\""));
    fs::write(service.folder().join("dispenses.txt"), names).context("writing the names of dispenses")?;
    // Nine in ten get past the door.
    let anonymous = cases / 10;
    let told = [
        hold(&service, steps, &python, "schemathesis.toml", cases - anonymous, seed)?,
        hold(&service, steps, &python, "anonymous.toml", anonymous, seed)?,
    ];
    for (name, cases) in ["with credentials", "without"].into_iter().zip(told) {
        steps.note(format!("schemathesis, {name}: {cases} cases, seed {seed}"));
    }
    service.check(steps, "schemathesis: the server afterwards")
}

/// Runs Schemathesis with those settings; gives how many cases it made up.
fn hold(
    service: &Service,
    steps: &mut Steps,
    packages: &Path,
    settings: &str,
    cases: u64,
    seed: u64,
) -> Result<u64> {
    let folder = service.folder();
    let report = folder.join(format!("{settings}.json"));
    let mut command = Command::new("python3");
    command
        .current_dir(folder)
        .env("PYTHONPATH", packages)
        .env("ESOZ_BASE", &service.base)
        .env("ESOZ_TOKEN", &service.token)
        .env("ESOZ_API_KEY", &service.api_key)
        .args(["-m", "schemathesis.cli", "--config-file", settings, "run"])
        .arg(steps.path(DESCRIPTION))
        .args(["--url", &service.base, "--checks", "all", "--seed", &seed.to_string()])
        // The limit is per operation: there are at least so many cases in all.
        .args(["--max-examples", &cases.div_ceil(2).to_string(), "--report", "json", "--report-json-path"])
        .arg(&report);
    say(&format!("\n▶ schemathesis with {settings}: {cases} cases at {}", service.base));
    let started = Instant::now();
    let status = command.status().context("python3 cannot be run")?;
    let told: Value =
        serde_json::from_slice(&fs::read(&report).context("schemathesis made no report: see above")?)?;
    let generated = told.pointer("/test_cases/generated").and_then(Value::as_u64).unwrap_or_default();
    let is_enough = generated >= cases;
    if !is_enough {
        say(&format!("only {generated} cases were made up"));
    }
    steps.record(&format!("schemathesis with {settings}"), status.success() && is_enough, started.elapsed());
    Ok(generated)
}
