//! `cargo xtask deploy`.

mod checkers;
mod compose;
mod container;
mod kubernetes;

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use checkers::Deploy;
use esoz_test_servers::promtool;

use crate::service::built;
use crate::steps::Steps;
use crate::tools;

/// The requirements of the checkers and their settings, in `tests`.
const FOLDER: &str = "deploy";

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
}
