//! `cargo xtask openapi`.

use anyhow::{Context, ensure};

use crate::steps::{Steps, say};

/// Where the published description is kept.
pub(crate) const DESCRIPTION: &str = "docs/openapi.json";

/// Writes the description that the handlers give of themselves to where it is published.
pub(crate) fn run(steps: &mut Steps) -> anyhow::Result<()> {
    say(&format!("\n▶ {DESCRIPTION}"));
    let started = std::time::Instant::now();
    let mut print =
        steps.cargo(&["run", "--quiet", "--locked", "--package", "esoz-http", "--example", "openapi"]);
    let printed = print.stderr(std::process::Stdio::inherit()).output().context("cargo cannot be run")?;
    ensure!(printed.status.success(), "the description could not be made: see above");
    let path = steps.path(DESCRIPTION);
    std::fs::write(&path, printed.stdout).with_context(|| format!("cannot write {}", path.display()))?;
    steps.record(DESCRIPTION, true, started.elapsed());
    Ok(())
}
