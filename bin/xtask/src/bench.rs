//! `cargo xtask bench`.

use std::process::Command;

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;

use crate::steps::Steps;

/// Builds server and bench as they would be shipped, and measures. What it is measured with, the bench finds or fetches.
pub(crate) fn run(steps: &mut Steps, arguments: &[String]) -> anyhow::Result<()> {
    let build = steps.cargo(&[
        "build",
        "--release",
        "--locked",
        "--package",
        "esoz",
        "--package",
        "esoz-bench",
        "--features",
        "esoz/otlp,esoz/servers",
        "--bins",
    ]);
    if !steps.run("build", build) {
        return Ok(());
    }
    let metadata = MetadataCommand::new().no_deps().exec().context("cargo metadata")?;
    let program = |name: &str| metadata.target_directory.join("release").join(name);
    let mut bench = Command::new(program("esoz-bench"));
    bench.args(["run", "--program"]).arg(program("esoz")).args(arguments);
    steps.run("bench", bench);
    Ok(())
}
