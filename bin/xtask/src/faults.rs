//! `cargo xtask faults`.

use std::process::Command;

use anyhow::Context;
use cargo_metadata::MetadataCommand;

use crate::steps::Steps;
use crate::test;

/// Builds the servers under test and the program that works on them, and runs it with these arguments. The short form takes the build that
/// tests use: compiling another one would take longer than the run.
pub(crate) fn run(steps: &mut Steps, arguments: &[String]) -> anyhow::Result<()> {
    let is_short = arguments.iter().any(|argument| argument == "--short");
    let build = if is_short {
        test::build(steps)
    } else {
        let release =
            ["build", "--release", "--locked", "--package", "esoz-faults", "--package", "esoz-tests"];
        let mut build = steps.cargo(&release);
        build.args(["--all-features", "--bins"]);
        build
    };
    if !steps.run("what faults are injected into", build) {
        return Ok(());
    }
    let metadata = MetadataCommand::new().no_deps().exec().context("cargo metadata")?;
    let folder = metadata.target_directory.join(if is_short { "debug" } else { "release" });
    let mut command = Command::new(folder.join("esoz-faults"));
    command.args(arguments);
    steps.run("faults", command);
    Ok(())
}
