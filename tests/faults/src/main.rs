//! `cargo xtask faults`: workloads under faults, and the check of what is left.
#![expect(clippy::print_stdout, reason = "a command-line tool")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use esoz_faults::page;
use esoz_faults::report::Report;
use esoz_faults::scenarios::{Form, Run, SCENARIOS, Scenario, soak};

/// The longest that a run may take, in its short form and as a whole.
const SHORT_MAX: Duration = Duration::from_mins(8);
const FULL_MAX: Duration = Duration::from_mins(20);

/// Works on real servers while they, their stores and the network between them fail, and holds stores, audit and topic against what was
/// answered.
#[derive(Parser)]
#[command(name = "cargo xtask faults", bin_name = "cargo xtask faults")]
struct Arguments {
    /// A few seconds of each scenario
    #[arg(long)]
    short: bool,
    /// These scenarios alone
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<String>,
    /// The seed of a run that is to be repeated; a new one otherwise
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Instead of all scenarios, for that many minutes most of what a server can carry: nothing may grow
    #[arg(long, value_name = "MINUTES")]
    soak: Option<u64>,
    /// Writes the results into the page that tells them, docs/explanation/faults.md, in the place of those of the same scenarios
    #[arg(long, conflicts_with = "short")]
    write: bool,
    /// Tells which scenarios there are
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for Scenario { name, what, .. } in SCENARIOS {
            println!("{name:<12} {what}");
        }
        return ExitCode::SUCCESS;
    }
    let done = tokio::runtime::Runtime::new()
        .context("starting")
        .and_then(|runtime| runtime.block_on(Box::pin(run(arguments))));
    done.unwrap_or_else(|error| {
        println!("FAILED: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Some(minutes) = arguments.soak {
        let mut run = Run::new(Form::Full, arguments.seed.unwrap_or_default());
        let reports = soak(&mut run, Duration::from_mins(minutes)).await?;
        for report in &reports {
            println!("{report}");
        }
        if arguments.write {
            write(&run, &reports)?;
        }
        let passed = reports.iter().all(Report::passed);
        return Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let chosen: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| {
            arguments.only.is_empty() || arguments.only.iter().any(|name| name == scenario.name)
        })
        .collect();
    if chosen.is_empty() {
        bail!("there is no such scenario; `--list` tells which there are");
    }
    let (form, limit) = if arguments.short { (Form::Short, SHORT_MAX) } else { (Form::Full, FULL_MAX) };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(0..1_000_000_000));
    println!("seed {seed}");
    let mut run = Run::new(form, seed);
    let started = Instant::now();
    let mut failed = Vec::new();
    let mut all = Vec::new();
    for scenario in chosen {
        let left = limit.saturating_sub(started.elapsed());
        let Ok(done) = tokio::time::timeout(left, (scenario.run)(&mut run)).await else {
            bail!("{} was not done when the {} s of a run were over", scenario.name, limit.as_secs());
        };
        match done {
            Ok(reports) => {
                for report in &reports {
                    println!("{report}");
                }
                if reports.iter().any(|report| !report.passed()) {
                    failed.push(scenario.name);
                }
                all.extend(reports);
            }
            Err(error) => {
                println!("{}: {error:#}", scenario.name);
                failed.push(scenario.name);
            }
        }
    }
    println!("{}, {:.0} s", run.versions(), started.elapsed().as_secs_f64());
    if arguments.write {
        write(&run, &all)?;
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for name in failed {
        let short = if arguments.short { " --short" } else { "" };
        println!("FAILED: {name}; again by `cargo xtask faults{short} --only {name} --seed {seed}`");
    }
    Ok(ExitCode::FAILURE)
}

fn write(run: &Run, reports: &[Report]) -> Result<()> {
    page::write(reports, &format!("seed {}, {}, {}", run.seed, run.versions(), page::machine()))
}
