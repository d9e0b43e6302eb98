//! How long it takes to compile a domain crate for whoever embeds it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::{Figure, Measured, Settings};
use crate::stats::Spread;

const CRATES: [&str; 2] = ["esoz-device-dispense", "esoz-contract-division"];

const AT_MOST_S: f64 = 15.0;

pub(super) fn measure(settings: &Settings, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    let mut took = CRATES.map(|name| (name, Vec::new()));
    for _ in 0..settings.rounds {
        for (name, took_s) in &mut took {
            let seconds = compile(name)?;
            tell(&format!("build: {name}: {seconds:.1} s"));
            took_s.push(seconds);
        }
    }
    for (name, took_s) in took {
        let what = format!("compiling {name} and all below it, from nothing");
        let figure = Spread::of(took_s).map(|took| Figure::of(what, took, "s").at_most(AT_MOST_S));
        measured.figures.extend(figure);
    }
    Ok(())
}

/// As a service does that embeds it: with its default features, into a fresh folder.
fn compile(name: &str) -> Result<f64> {
    let folder = tempfile::Builder::new().prefix("esoz-bench-").tempdir()?;
    let began = Instant::now();
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", name, "--target-dir"])
        .arg(folder.path())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .stdin(Stdio::null())
        .output()
        .context("running cargo")?;
    ensure!(output.status.success(), "{name} does not compile: {}", String::from_utf8_lossy(&output.stderr));
    Ok(began.elapsed().as_secs_f64())
}
