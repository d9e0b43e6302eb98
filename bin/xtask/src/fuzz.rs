//! `cargo xtask fuzz`.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::steps::{Steps, say};

/// The version that the outcomes in the book were made with.
const CARGO_FUZZ: &str = "0.13.2";

/// The programs that are fuzzed.
const PROGRAMS: &str = "tests/fuzz/targets";

/// Where everything is built, beside the rest: with other flags.
const BUILD: &str = "target/fuzz";

/// No input may take longer, in seconds. Each takes well under a millisecond; the rest is room for a busy machine.
const LONGEST_S: u32 = 20;

/// No input may need more memory, in MiB.
const MOST_MEMORY_MB: u32 = 1_024;

/// As long as an input may be that is kept.
const MAX_BYTES: u32 = 4_096;

/// Runs each target for so long, then keeps the inputs that lead to different places. One that breaks is told with the file that holds
/// the input.
pub(crate) fn run(steps: &mut Steps, minutes: u64, targets: Vec<String>) -> Result<()> {
    let cargo_fuzz = CargoFuzz::find(steps)?;
    let known = inputs(steps, &["list"])?;
    let known: Vec<&str> = known.lines().collect();
    for target in &targets {
        ensure!(
            known.contains(&target.as_str()),
            "there is no target {target}; there are {}",
            known.join(", ")
        );
    }
    // The same versions as everything else has: cargo adds what the fuzzer's library needs.
    fs::copy(steps.path("Cargo.lock"), steps.path(PROGRAMS).join("Cargo.lock"))
        .context("copying Cargo.lock")?;
    let chosen =
        known.iter().filter(|name| targets.is_empty() || targets.iter().any(|target| target == *name));
    for name in chosen {
        fuzz(steps, &cargo_fuzz, name, Duration::from_secs(minutes * 60))?;
    }
    Ok(())
}

fn fuzz(steps: &mut Steps, cargo_fuzz: &CargoFuzz, name: &str, time: Duration) -> Result<()> {
    let folder = steps.path(BUILD).join("work").join(name);
    let (corpus, log) = (folder.join("corpus"), folder.join("log.txt"));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    inputs(steps, &["unpack", name, text(&corpus)?])?;
    let build = cargo_fuzz.command(steps, &["build", name]);
    steps.run(&format!("build {name}"), build);

    let mut fuzz = cargo_fuzz.command(steps, &["run", name]);
    fuzz.arg(&corpus).arg("--");
    fuzz.args([
        format!("-max_total_time={}", time.as_secs()),
        format!("-max_len={MAX_BYTES}"),
        format!("-timeout={LONGEST_S}"),
        format!("-rss_limit_mb={MOST_MEMORY_MB}"),
        String::from("-print_final_stats=1"),
    ]);
    say(&format!("\n▶ fuzz {name} for {} s", time.as_secs()));
    let started = Instant::now();
    let written = File::create(&log).with_context(|| format!("making {}", log.display()))?;
    let status =
        fuzz.stdout(written.try_clone()?).stderr(written).status().context("cargo fuzz cannot be run")?;
    let told = fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
    let told = String::from_utf8_lossy(&told);
    steps.record(&format!("fuzz {name}"), status.success(), started.elapsed());
    if status.success() {
        let mut smaller = cargo_fuzz.command(steps, &["cmin", name]);
        smaller.arg(&corpus).arg("--").arg(format!("-max_len={MAX_BYTES}"));
        let output = smaller.output().context("cargo fuzz cannot be run")?;
        ensure!(
            output.status.success(),
            "cargo fuzz cmin {name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let kept = inputs(steps, &["pack", name, text(&corpus)?])?;
        steps.note(format!("{name}: {}, {} inputs kept", outcome(&told), kept.trim()));
    } else {
        steps.note(format!(
            "{name}: {}; see {}. Put the input that is named there into tests/fuzz/regressions/{name}",
            outcome(&told),
            log.display()
        ));
    }
    Ok(())
}

/// What a fuzzer told about itself: how many inputs it ran, and to how many places they led.
fn outcome(told: &str) -> String {
    let executions = told.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let word_after = |line: &str, name: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != name);
        words.nth(1).map(str::to_owned)
    };
    let last = |name: &str| told.lines().rev().find_map(|line| word_after(line, name));
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| String::from("unknown"));
    format!(
        "executions {}, edges {}, features {}",
        or_unknown(executions.map(|number| number.trim().to_owned())),
        or_unknown(last("cov:")),
        or_unknown(last("ft:"))
    )
}

/// Runs the program that knows the targets and their inputs; gives what it printed.
fn inputs(steps: &Steps, arguments: &[&str]) -> Result<String> {
    let mut program = steps.cargo(&["run", "--quiet", "--locked", "--package", "esoz-fuzz", "--"]);
    let output = program.args(arguments).stderr(std::process::Stdio::inherit()).output();
    let output = output.context("cargo cannot be run")?;
    ensure!(output.status.success(), "esoz-fuzz {} failed: see above", arguments.join(" "));
    String::from_utf8(output.stdout).context("esoz-fuzz prints text")
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no text", path.display()))
}

/// `cargo fuzz`, and where cargo finds it.
struct CargoFuzz {
    path: std::ffi::OsString,
}

impl CargoFuzz {
    /// Finds it, or fetches it into `target/tools`.
    fn find(steps: &mut Steps) -> Result<Self> {
        let tools = steps.path("target/tools");
        let mut folders: Vec<PathBuf> = vec![tools.join("bin")];
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let found = Self { path: env::join_paths(folders).context("PATH")? };
        let version = steps.cargo(&["fuzz", "--version"]).env("PATH", &found.path).output();
        let is_it = version.is_ok_and(|output| {
            output.status.success() && String::from_utf8_lossy(&output.stdout).trim().ends_with(CARGO_FUZZ)
        });
        if !is_it {
            let mut install = steps.cargo(&["install", "cargo-fuzz", "--locked", "--quiet", "--debug"]);
            install.args(["--version", CARGO_FUZZ, "--root"]).arg(&tools);
            ensure!(
                install.status().is_ok_and(|status| status.success()),
                "cargo-fuzz could not be installed"
            );
        }
        Ok(found)
    }

    /// A command of it. Without a sanitizer, which only a nightly compiler has: there is no unsafe code of ours for it to look at.
    fn command(&self, steps: &Steps, arguments: &[&str]) -> Command {
        let mut command = steps.cargo(&["fuzz"]);
        command.args(arguments);
        command.args(["--fuzz-dir", PROGRAMS, "--sanitizer", "none", "--target-dir", BUILD]);
        // An error that is made takes down where, and that takes longer than everything else.
        command.env("PATH", &self.path).env("RUST_LIB_BACKTRACE", "0");
        command
    }
}
