//! `cargo xtask clients`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use crate::service::{PATIENT, Service, built};
use crate::steps::{Steps, say};
use crate::tools;

/// The programs that use the generated clients, and what the generators need, in `tests`.
const FOLDER: &str = "clients";

/// The how-to, whose commands are run.
const PAGE: &str = "docs/how-to/write-a-client.md";

/// Generates clients in Python and TypeScript from the published description, and has each do with a running server what the demo shows.
pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let python = tools::by_pip(steps, FOLDER)?;
    let node = tools::by_npm(steps, FOLDER)?;
    let program = built(steps)?;
    let folder = steps.path("target/clients");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for name in ["story.py", "story.ts", "package.json", "generator.yml"] {
        let file = steps.path("tests").join(FOLDER).join(name);
        fs::copy(file, folder.join(name)).with_context(|| format!("copying {name}"))?;
    }
    // Where the commands of the how-to look for the description, and the compiler and the program for packages.
    link(&steps.path("docs"), &folder.join("docs"))?;
    link(&node.join("node_modules"), &folder.join("node_modules"))?;
    let has_python = generate_python(steps, &python, &folder)?;
    let has_typescript = generate_typescript(steps, &folder)?;

    say("\n▶ clients: a server on SQLite");
    let service = Service::start(steps, program, 1)?;
    // In a file: the command lines of steps are printed.
    let credentials = service.folder().join("credentials.json");
    let Service { base, token, api_key, .. } = &service;
    let told = json!({"base": base, "token": token, "api_key": api_key, "patient": PATIENT});
    fs::write(&credentials, told.to_string()).context("writing credentials.json")?;
    if has_python {
        let mut story = python_command(&python, &folder);
        story.arg("story.py").arg(&credentials);
        steps.run("clients: the demo's story in Python", story);
    }
    if has_typescript {
        let mut story = Command::new("node");
        story.current_dir(&folder).arg("story.js").arg(&credentials);
        steps.run("clients: the demo's story in TypeScript", story);
    }
    service.check(steps, "clients: the server afterwards")
}

/// Generates the client in Python; notes how many types it has.
fn generate_python(steps: &mut Steps, packages: &Path, folder: &Path) -> Result<bool> {
    let mut generate = python_command(packages, folder);
    generate.args(["-m", "openapi_python_client"]).args(told(steps, "openapi-python-client ")?).args([
        "--overwrite",
        "--fail-on-warning",
        "--config",
        "generator.yml",
    ]);
    if !steps.run("clients: a client in Python", generate) {
        return Ok(false);
    }
    let models = fs::read_dir(folder.join("esoz_client/models")).context("the client has no models")?;
    // One file each, and one that names them all.
    let types = models.count().saturating_sub(1);
    steps.note(format!("the generated client in Python: {types} types"));
    Ok(true)
}

/// Generates the types in TypeScript, and compiles the program that uses them.
fn generate_typescript(steps: &mut Steps, folder: &Path) -> Result<bool> {
    let program = |name: &str| {
        let mut command = Command::new(folder.join("node_modules/.bin").join(name));
        command.current_dir(folder);
        command
    };
    let mut generate = program("openapi-typescript");
    generate.args(told(steps, "npx openapi-typescript ")?);
    let mut compile = program("tsc");
    compile.args(["--strict", "--target", "es2022", "--module", "nodenext", "story.ts"]);
    Ok(steps.run("clients: types in TypeScript", generate)
        && steps.run("clients: a program with them", compile))
}

/// The arguments of the command that the how-to tells a reader to type.
fn told(steps: &Steps, program: &str) -> Result<Vec<String>> {
    let page = fs::read_to_string(steps.path(PAGE)).with_context(|| format!("reading {PAGE}"))?;
    let arguments = page.lines().find_map(|line| line.strip_prefix(program));
    let arguments = arguments.with_context(|| format!("{PAGE} has no line that begins with {program}"))?;
    Ok(arguments.split_whitespace().map(str::to_owned).collect())
}

/// Makes a link to a folder, in place of one that was there.
fn link(folder: &Path, link: &Path) -> Result<()> {
    if fs::read_link(link).is_ok() {
        fs::remove_file(link)?;
    }
    std::os::unix::fs::symlink(folder, link).with_context(|| format!("making {}", link.display()))
}

/// Python with these packages.
fn python_command(packages: &Path, folder: &Path) -> Command {
    let mut command = Command::new("python3");
    command.current_dir(folder).env("PYTHONPATH", packages);
    command
}
