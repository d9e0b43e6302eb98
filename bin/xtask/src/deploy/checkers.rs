//! What `cargo xtask deploy` checks with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::steps::{Steps, say};

/// What is checked with, and where files are made.
pub(super) struct Deploy {
    /// The packages of the checkers.
    pub(super) packages: PathBuf,
    pub(super) promtool: PathBuf,
    /// The program that reads the configurations.
    pub(super) program: PathBuf,
    /// Where rendered and made files go.
    pub(super) scratch: PathBuf,
    /// Keys, certificates and passwords, as the services of `deploy/compose.yaml` get them: a folder each.
    pub(super) credentials: PathBuf,
}

impl Deploy {
    /// A module of the packages as a command.
    pub(super) fn module(&self, name: &str) -> Command {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.packages).args(["-m", name]);
        command
    }

    /// A program of the packages, which finds the others.
    pub(super) fn program(&self, name: &str) -> Command {
        let folder = self.packages.join("bin");
        let mut command = Command::new(folder.join(name));
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&others)));
        command.env("PYTHONPATH", &self.packages).env("PATH", path.unwrap_or(others));
        command
    }

    /// A file that is made for a check.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let file = self.scratch.join(name);
        write(&file, content)?;
        Ok(file)
    }
}

/// Writes a file and the folders above it.
pub(super) fn write(file: &Path, content: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::write(file, content).with_context(|| format!("writing {}", file.display()))
}

/// Records a step whose faults were found here, and prints them.
pub(super) fn record(steps: &mut Steps, name: &str, began: Instant, faults: &[String]) {
    say(&format!("\n▶ {name}"));
    for fault in faults {
        say(&format!("  {fault}"));
    }
    steps.record(name, faults.is_empty(), began.elapsed());
}
