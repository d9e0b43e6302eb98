//! `cargo xtask test`.

use std::process::Command;

use anyhow::{Context, ensure};
use cargo_metadata::{MetadataCommand, Package, TargetKind};

use crate::{servers::Servers, steps::Steps};

/// The crates whose examples show a service how to embed them.
const SHOWN: [&str; 2] = ["esoz-device-dispense", "esoz-contract-division"];

/// Builds the programs and the tests, as the tests use them. Another selection of packages or targets gives dependencies other features (tokio those for
/// tests), and compiles nearly everything anew.
pub(crate) fn build(steps: &Steps) -> Command {
    let all = ["test", "--no-run", "--locked", "--workspace", "--all-features", "--bins", "--tests"];
    steps.cargo(&all)
}

/// Runs every test, those of the server also with its default features, and the domain crates' examples. Arguments for the runner narrow the tests alone: then examples
/// and tests in documentation are left out.
pub(crate) fn run(steps: &mut Steps, runner_arguments: &[String]) -> anyhow::Result<()> {
    let servers = Servers::start(steps)?;
    if runner_arguments.is_empty() {
        // With default features and one package at a time: as a service that embeds the crate compiles it.
        for (package, example, features) in examples()? {
            let mut command = steps.cargo(&["run", "--quiet", "--locked", "--package", &package]);
            command.args(["--example", &example]);
            if !features.is_empty() {
                command.args(["--features", &features.join(",")]);
            }
            steps.run(&format!("example {example} of {package}"), command);
        }
        let default = steps.cargo(&["test", "--locked", "--package", "esoz"]);
        steps.run("tests of esoz with its default features", default);
        let mut documented = steps.cargo(&["test", "--doc", "--locked", "--workspace", "--all-features"]);
        servers.tell(&mut documented);
        steps.run("tests in documentation", documented);
    }

    // Last, so that the runner's own summary is near the end of the output.
    let mut tests = if steps.has_cargo_command("nextest") {
        steps.cargo(&["nextest", "run", "--locked", "--workspace", "--all-features"])
    } else {
        let all = ["--workspace", "--all-features", "--lib", "--bins", "--tests"];
        let mut command = steps.cargo(&["test", "--locked", "--no-fail-fast"]);
        command.args(all);
        if !runner_arguments.is_empty() {
            command.arg("--");
        }
        command
    };
    tests.args(runner_arguments);
    servers.tell(&mut tests);
    steps.run("tests", tests);
    Ok(())
}

/// The examples of the domain crates, with the features that they ask for.
fn examples() -> anyhow::Result<Vec<(String, String, Vec<String>)>> {
    let metadata = MetadataCommand::new().no_deps().exec().context("cargo metadata")?;
    let mut found = Vec::new();
    for name in SHOWN {
        let is_it = |package: &&Package| package.name.as_str() == name;
        let package = metadata.packages.iter().find(is_it).with_context(|| format!("no package {name}"))?;
        let of_it = package.targets.iter().filter(|target| target.kind.contains(&TargetKind::Example));
        let before = found.len();
        found.extend(
            of_it.map(|target| (name.to_owned(), target.name.clone(), target.required_features.clone())),
        );
        ensure!(found.len() > before, "package {name} has no example: it shows nobody how to use it");
    }
    Ok(found)
}
