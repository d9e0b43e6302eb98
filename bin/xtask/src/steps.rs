//! Steps: each is told before it runs, none is left out because another failed, and a summary ends them.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::Context;

/// What was run, and how it went.
pub(crate) struct Steps {
    /// The workspace's folder, in which every command runs.
    root: PathBuf,
    done: Vec<Step>,
    notes: Vec<String>,
}

struct Step {
    name: String,
    passed: bool,
    took: Duration,
}

impl Steps {
    /// No steps yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).context("xtask is not where it was: bin/xtask")?.to_path_buf();
        Ok(Self { root, done: Vec::new(), notes: Vec::new() })
    }

    /// The cargo that runs us, in the workspace's folder.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(&self.root).args(arguments);
        // `cargo run` has set them for us: cargo-machete takes the name as a sign that no cargo runs it, and build scripts that look at them are run
        // anew, with all that rests on them, whenever somebody calls cargo without us.
        let of_ours = std::env::vars_os().map(|(name, _)| name);
        for name in of_ours.filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            cargo.env_remove(name);
        }
        cargo
    }

    /// A file of the workspace.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// Does `cargo NAME` exist?
    pub(crate) fn has_cargo_command(&self, name: &str) -> bool {
        self.cargo(&[name, "--version"]).output().is_ok_and(|output| output.status.success())
    }

    /// Runs a command as a step. That it fails is remembered and told at the end; whether it passed is also the answer.
    pub(crate) fn run(&mut self, name: &str, mut command: Command) -> bool {
        say(&format!("\n▶ {name}: {}", line(&command)));
        let started = Instant::now();
        let passed = match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                say(&format!("cannot be run: {error}"));
                false
            }
        };
        self.record(name, passed, started.elapsed());
        passed
    }

    /// A step that was done here.
    pub(crate) fn record(&mut self, name: &str, passed: bool, took: Duration) {
        self.done.push(Step { name: name.to_owned(), passed, took });
    }

    /// Something for the summary.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Tells what was run; success if all of it passed.
    pub(crate) fn summary(&self) -> ExitCode {
        say("\nSummary");
        for note in &self.notes {
            say(&format!("  {note}"));
        }
        for step in &self.done {
            let mark = if step.passed { "passed" } else { "FAILED" };
            say(&format!("  {mark} {:>6.1} s  {}", step.took.as_secs_f64(), step.name));
        }
        let failed = self.done.iter().filter(|step| !step.passed).count();
        if failed == 0 && !self.done.is_empty() {
            say(&format!("All {} steps passed.", self.done.len()));
            ExitCode::SUCCESS
        } else {
            say(&format!("{failed} of {} steps FAILED.", self.done.len()));
            ExitCode::FAILURE
        }
    }
}

/// A command as a person may type it; the environment it is given comes first.
fn line(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={:?}", name.to_string_lossy(), value.to_string_lossy()));
        }
    }
    words.push(if command.get_program() == env!("CARGO") {
        String::from("cargo")
    } else {
        command.get_program().to_string_lossy().into_owned()
    });
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Tells the person at the terminal.
#[expect(clippy::print_stdout, reason = "a command-line tool")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
