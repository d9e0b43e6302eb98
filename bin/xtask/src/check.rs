//! `cargo xtask check`.

use std::process::Command;

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;

use crate::size;
use crate::steps::Steps;

/// Sets of features of `esoz`, in which each is missing at least once. All together are linted with the rest.
const FEATURES: [&str; 4] = ["", "sqlite,swagger", "sqlite,otlp", "servers,otlp"];

/// Runs every check that needs no server.
pub(crate) fn run(steps: &mut Steps, advisories: bool) -> anyhow::Result<()> {
    let format = steps.cargo(&["fmt", "--all", "--check"]);
    steps.run("format", format);
    size::run(steps)?;

    // All features alone: the domain crates' default features are compiled by their examples, each crate by itself,
    // and a second set of features for everything would double the time.
    let lint = steps.cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]);
    steps.run("lint", lint);
    for features in FEATURES {
        let mut lint = steps.cargo(&["clippy", "--locked", "--package", "esoz", "--no-default-features"]);
        lint.args(["--features", features, "--all-targets", "--", "-D", "warnings"]);
        steps.run(&format!("lint with the features {features:?}"), lint);
    }

    let mut document = steps.cargo(&["doc", "--locked", "--no-deps", "--workspace", "--all-features"]);
    document.env("RUSTDOCFLAGS", "-D warnings");
    steps.run("documentation", document);

    anyhow::ensure!(
        steps.has_cargo_command("deny"),
        "cargo-deny is missing: `cargo install cargo-deny --locked`, or run .ci/run, which fetches it"
    );
    steps.run("dependencies", deny(steps, &["bans", "licenses", "sources"]));
    anyhow::ensure!(
        steps.has_cargo_command("machete"),
        "cargo-machete is missing: `cargo install cargo-machete --locked`, or run .ci/run, which fetches it"
    );
    steps.run("dependencies that are not used", steps.cargo(&["machete"]));
    package(steps)?;
    if advisories {
        steps.run("advisories", deny(steps, &["advisories"]));
    }
    Ok(())
}

/// Packages every crate that its manifest does not keep from being published, each as it would be sent. What is not committed yet
/// is packaged as well.
fn package(steps: &mut Steps) -> anyhow::Result<()> {
    let metadata = MetadataCommand::new().no_deps().exec().context("cargo metadata")?;
    let mut package =
        steps.cargo(&["package", "--locked", "--allow-dirty", "--no-verify", "--offline", "--quiet"]);
    for published in metadata.packages.iter().filter(|package| package.publish.is_none()) {
        package.args(["--package", published.name.as_str()]);
    }
    steps.run("packages of crates", package);
    Ok(())
}

fn deny(steps: &Steps, checks: &[&str]) -> Command {
    let mut deny = steps.cargo(&["deny", "--all-features", "--locked", "check", "--hide-inclusion-graph"]);
    deny.args(checks);
    deny
}
