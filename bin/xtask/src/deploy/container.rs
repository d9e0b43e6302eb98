//! A container as its program sees it: the files that are mounted into it are on this machine under other names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use super::checkers::Deploy;
use crate::steps::Steps;

/// How long a server may take to exit beside `http.drain_ms` and `http.shutdown_timeout_s`, in milliseconds: the last clients, the jobs' last runs and
/// the log.
const EXIT_MS: u64 = 5_000;

/// A container of the program.
pub(super) struct Container {
    pub(super) name: String,
    /// The command line, with `--config` and the path of the configuration in it.
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) mounts: Mounts,
}

/// What is mounted where: a path in the container, which ends with `/` for a folder, and the path on this machine.
#[derive(Default)]
pub(super) struct Mounts(Vec<(String, PathBuf)>);

impl Mounts {
    /// Adds a folder.
    pub(super) fn folder(&mut self, inside: &str, here: &Path) {
        self.add(format!("{inside}/"), here.join(""));
    }

    /// Adds a file.
    pub(super) fn file(&mut self, inside: &str, here: &Path) {
        self.add(inside.to_owned(), here.to_owned());
    }

    fn add(&mut self, inside: String, here: PathBuf) {
        self.0.push((inside, here));
        // A path below another one is looked for first.
        self.0.sort_by_key(|(inside, _)| std::cmp::Reverse(inside.len()));
    }

    /// A text of the container with the paths of this machine.
    pub(super) fn translate(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (inside, here)| text.replace(inside, &here.to_string_lossy()))
    }
}

/// What is in force in a container.
pub(super) struct Effective(BTreeMap<String, Value>);

impl Container {
    /// Has the program check its configuration, as `esoz config check` does in the container; gives what is in force, if it can be used.
    pub(super) fn check(&self, steps: &mut Steps, deploy: &Deploy) -> Result<Option<Effective>> {
        let mut words = self.command.iter().skip_while(|word| *word != "--config").skip(1);
        let inside = words.next().with_context(|| format!("{} names no configuration", self.name))?;
        let here = self.mounts.translate(inside);
        let configuration =
            fs::read_to_string(&here).with_context(|| format!("{}: reading {here}", self.name))?;
        let name = format!("{}.toml", self.name.replace(' ', "-"));
        let file = deploy.write(&name, &self.mounts.translate(&configuration))?;
        let printed = deploy.scratch.join(format!("{name}.json"));
        let mut check = Command::new(&deploy.program);
        let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ESOZ_"));
        for (name, _) in ours {
            check.env_remove(name);
        }
        let environment = self.environment.iter().map(|(name, value)| (name, self.mounts.translate(value)));
        let output = fs::File::create(&printed).with_context(|| format!("making {}", printed.display()))?;
        check
            .current_dir(&deploy.scratch)
            .envs(environment)
            .args(["config", "check", "--json", "--config"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(output);
        if !steps.run(&format!("deploy: the configuration of {}", self.name), check) {
            return Ok(None);
        }
        let printed = fs::read(&printed).with_context(|| format!("reading {}", printed.display()))?;
        let entries: Vec<Value> = serde_json::from_slice(&printed).context("what esoz prints is no JSON")?;
        let entry = |entry: Value| Some((text(&entry, "/key")?.to_owned(), at(&entry, "/value").clone()));
        Ok(Some(Effective(entries.into_iter().filter_map(entry).collect())))
    }
}

impl Effective {
    /// The port of an address to listen on.
    pub(super) fn port(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_str()?.rsplit(':').next()?.parse().ok()
    }

    /// A fault, if the server is killed before it can have exited.
    pub(super) fn grace_fault(&self, grace_s: u64) -> Option<String> {
        let number = |key: &str| self.0.get(key).and_then(Value::as_u64).unwrap_or_default();
        let needed_ms = number("http.drain_ms") + number("http.shutdown_timeout_s") * 1_000 + EXIT_MS;
        (grace_s * 1_000 < needed_ms)
            .then(|| format!("the server may take {needed_ms} ms to exit, and is killed after {grace_s} s"))
    }
}

/// What is at a JSON pointer; null if there is nothing.
pub(super) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    static NOTHING: Value = Value::Null;
    value.pointer(pointer).unwrap_or(&NOTHING)
}

/// What is in the list at a JSON pointer.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    at(value, pointer).as_array().into_iter().flatten()
}

/// What is in the object at a JSON pointer.
pub(super) fn entries<'a>(
    value: &'a Value,
    pointer: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    at(value, pointer).as_object().into_iter().flatten()
}

/// The text at a JSON pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    at(value, pointer).as_str()
}

/// The texts of the list at a JSON pointer.
pub(super) fn texts(value: &Value, pointer: &str) -> Vec<String> {
    list(value, pointer).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The entries with a text of the object at a JSON pointer.
pub(super) fn variables(value: &Value, pointer: &str) -> BTreeMap<String, String> {
    let with_text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    entries(value, pointer).filter_map(with_text).collect()
}
