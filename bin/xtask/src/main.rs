//! The project's own commands: `cargo xtask test`, `cargo xtask check`, `cargo xtask ci`, `cargo xtask openapi`.

mod check;
mod openapi;
mod servers;
mod steps;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts (or finds) PostgreSQL, MongoDB and a Kafka broker, and runs every test and example
    Test {
        /// Passed on to the test runner: a filter, or its options
        #[arg(last = true)]
        runner_arguments: Vec<String>,
    },
    /// Formatting, lints, documentation, and the rules for dependencies
    Check {
        /// Also look for known vulnerabilities; needs the network, for the advisory database
        #[arg(long)]
        advisories: bool,
    },
    /// Both: what every change must pass
    Ci,
    /// Writes docs/openapi.json anew, after a change of what the API takes or answers
    Openapi,
}

fn main() -> anyhow::Result<ExitCode> {
    let mut steps = steps::Steps::new()?;
    match Arguments::parse().command {
        Command::Test { runner_arguments } => test::run(&mut steps, &runner_arguments)?,
        Command::Check { advisories } => check::run(&mut steps, advisories)?,
        Command::Ci => {
            check::run(&mut steps, false)?;
            test::run(&mut steps, &[])?;
        }
        Command::Openapi => openapi::run(&mut steps)?,
    }
    Ok(steps.summary())
}
