//! `cargo xtask deploy`.

mod compose;
mod container;
mod kubernetes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use esoz_test_servers::promtool;

use crate::service::built;
use crate::steps::{Steps, say};
use crate::tools;

/// The requirements of the checkers and their settings, in `tests`.
const FOLDER: &str = "deploy";

/// What is checked with, and where files are made.
struct Deploy {
    /// The packages of the checkers.
    packages: PathBuf,
    promtool: PathBuf,
    /// The program that reads the configurations.
    program: PathBuf,
    /// Where rendered and made files go.
    scratch: PathBuf,
    /// Keys, certificates and passwords, as the services of `deploy/compose.yaml` get them: a folder each.
    credentials: PathBuf,
}

/// Holds what is in `deploy` and the workflows to their schemas, and the configurations in them to the program.
pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let scratch = steps.path("target/deploy-check");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| format!("clearing {}", scratch.display()))?;
    }
    fs::create_dir_all(&scratch).with_context(|| format!("making {}", scratch.display()))?;
    let deploy = Deploy {
        packages: tools::by_pip(steps, FOLDER)?,
        promtool: promtool()?,
        program: built(steps)?,
        credentials: scratch.join("credentials"),
        scratch,
    };
    let mut prepare = Command::new("bash");
    prepare.arg(steps.path("deploy/compose/prepare-credentials.sh")).arg(&deploy.credentials);
    steps.run("deploy: credentials", prepare);
    deploy.lint(steps);
    kubernetes::check(steps, &deploy)?;
    compose::check(steps, &deploy)
}

impl Deploy {
    /// Lints YAML, shell scripts and workflows. Nothing is asked over the network.
    fn lint(&self, steps: &mut Steps) {
        let mut yaml = self.module("yamllint");
        yaml.args(["--strict", "--config-file"]).arg(steps.path("tests/deploy/yamllint.yml"));
        yaml.args(["deploy", ".github", "docs/operations"].map(|folder| steps.path(folder)));
        steps.run("deploy: YAML", yaml);

        let mut scripts = self.program("shellcheck");
        let files = [
            "deploy/compose/prepare-credentials.sh",
            "deploy/container/smoke.sh",
            "deploy/debian/smoke.sh",
            "deploy/debian/postinst",
            ".ci/run",
        ];
        scripts.args(files.map(|file| steps.path(file)));
        steps.run("deploy: scripts", scripts);

        let mut schema = self.module("check_jsonschema");
        schema.args(["--builtin-schema", "vendor.dependabot"]).arg(steps.path(".github/dependabot.yml"));
        steps.run("deploy: updates of dependencies", schema);

        // It looks into the scripts of the steps with shellcheck, which it finds on PATH. Actions are pinned by commit; images are not by digest,
        // since a tag of theirs gets what is mended.
        let mut workflows = self.program("jactionlint");
        workflows.current_dir(steps.path(".github/workflows")).args([
            "--strict-exit",
            "--ignore",
            "unpinned-images",
        ]);
        steps.run("deploy: workflows", workflows);

        let mut security = self.program("zizmor");
        security.args(["--offline", "--no-progress"]).arg(steps.path(".github"));
        steps.run("deploy: security of the workflows", security);
    }

    /// A module of the packages as a command.
    fn module(&self, name: &str) -> Command {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.packages).args(["-m", name]);
        command
    }

    /// A program of the packages, which finds the others.
    fn program(&self, name: &str) -> Command {
        let folder = self.packages.join("bin");
        let mut command = Command::new(folder.join(name));
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&others)));
        command.env("PYTHONPATH", &self.packages).env("PATH", path.unwrap_or(others));
        command
    }

    /// A file that is made for a check.
    fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let file = self.scratch.join(name);
        write(&file, content)?;
        Ok(file)
    }
}

/// Writes a file and the folders above it.
fn write(file: &Path, content: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::write(file, content).with_context(|| format!("writing {}", file.display()))
}

/// Records a step whose faults were found here, and prints them.
fn record(steps: &mut Steps, name: &str, began: Instant, faults: &[String]) {
    say(&format!("\n▶ {name}"));
    for fault in faults {
        say(&format!("  {fault}"));
    }
    steps.record(name, faults.is_empty(), began.elapsed());
}
