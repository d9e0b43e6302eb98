//! The project's own commands: `cargo xtask test`, `cargo xtask check`, `cargo xtask ci`, `cargo xtask openapi`, `cargo xtask reference`,
//! `cargo xtask bench`, `cargo xtask book`, `cargo xtask faults`, `cargo xtask simulate`, `cargo xtask fuzz`, `cargo xtask schemathesis`,
//! `cargo xtask clients`, `cargo xtask deploy`, `cargo xtask size`, `cargo xtask deb`, `cargo xtask licenses`.

mod bench;
mod book;
mod check;
mod circles;
mod clients;
mod deb;
mod deploy;
mod faults;
mod fuzz;
mod openapi;
mod reference;
mod rooms;
mod schemathesis;
mod servers;
mod service;
mod simulate;
mod size;
mod steps;
mod test;
mod third_party;
mod tools;

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
    /// Format, lints, size and circles of files, documentation, dependencies, packages of the published crates
    Check {
        /// Also look for known vulnerabilities; needs the network, for the advisory database
        #[arg(long)]
        advisories: bool,
    },
    /// Looks for inputs that break a parser; fetches cargo-fuzz where it is missing
    Fuzz {
        /// How long each target runs
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// These targets alone
        #[arg(long = "target")]
        targets: Vec<String>,
    },
    /// Holds a running server against its description, by requests that a machine makes up; fetches Schemathesis by pip
    Schemathesis {
        /// How many requests
        #[arg(long, default_value_t = 20_000)]
        cases: u64,
        /// What they are made from: the same seed, the same requests
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Another server than the one that is built
        #[arg(long)]
        program: Option<std::path::PathBuf>,
    },
    /// Generates clients in Python and TypeScript from docs/openapi.json, and tries them on a server; fetches the generators by pip and npm
    Clients,
    /// Holds the deploy files and the workflows to their schemas, and the configurations in them to the program; fetches the checkers by pip
    Deploy,
    /// All of it, `clients`, `deploy`, and the short forms of `faults` and `schemathesis`: what every change must pass
    Ci,
    /// Works on real servers while they, their stores and the network fail, and checks what is left; `-- --help` tells more
    Faults {
        /// Passed on: --short, --only SCENARIO, --seed N, --write, --list
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Writes docs/openapi.json anew, after a change of what the API takes or answers
    Openapi,
    /// Writes the generated pages below docs/reference anew, after a change of commands or answers
    Reference,
    /// Measures how fast the server is; `cargo xtask bench --help` tells what can be left out
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on to the bench
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Plays seeds: use cases, expiry, outbox and relay on stores that fail, in the order that each seed decides
    #[command(disable_help_flag = true)]
    Simulate {
        /// Passed on: how many seeds, from which, and more (`--help` tells)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Counts the product's lines of code by crate; fails on files over 300 lines and on circles between files
    Size,
    /// Builds the Debian package, target/deploy/esoz.deb; needs cargo-deb, and lintian to lint it
    Deb {
        /// The profile that the program is built with
        #[arg(long, default_value = "release")]
        profile: String,
        /// A feature of the program, such as kafka-tls
        #[arg(long = "feature")]
        features: Vec<String>,
    },
    /// Writes the licenses of the libraries in the program to target/deploy/third-party-licenses.txt
    Licenses {
        /// A feature of the program, such as kafka-tls
        #[arg(long = "feature")]
        features: Vec<String>,
    },
    /// Makes the book, target/book/index.html; needs mdBook, which .ci/run fetches
    Book,
}

fn main() -> anyhow::Result<ExitCode> {
    let mut steps = steps::Steps::new()?;
    match Arguments::parse().command {
        Command::Test { runner_arguments } => test::run(&mut steps, &runner_arguments)?,
        Command::Check { advisories } => check::run(&mut steps, advisories)?,
        Command::Schemathesis { cases, seed, program } => {
            schemathesis::run(&mut steps, cases, seed, program)?;
        }
        Command::Clients => clients::run(&mut steps)?,
        Command::Deploy => deploy::run(&mut steps)?,
        Command::Fuzz { minutes, targets } => fuzz::run(&mut steps, minutes, targets)?,
        Command::Ci => {
            check::run(&mut steps, false)?;
            book::run(&mut steps)?;
            test::run(&mut steps, &[])?;
            faults::run(&mut steps, &["--short".to_owned()])?;
            schemathesis::run(&mut steps, 500, 1, None)?;
            clients::run(&mut steps)?;
            deploy::run(&mut steps)?;
        }
        Command::Faults { arguments } => faults::run(&mut steps, &arguments)?,
        Command::Openapi => openapi::run(&mut steps)?,
        Command::Reference => reference::run(&mut steps)?,
        Command::Bench { arguments } => bench::run(&mut steps, &arguments)?,
        Command::Simulate { arguments } => simulate::run(&mut steps, &arguments),
        Command::Size => size::run(&mut steps)?,
        Command::Deb { profile, features } => deb::run(&mut steps, &profile, &features)?,
        Command::Licenses { features } => third_party::run(&mut steps, &features)?,
        Command::Book => book::run(&mut steps)?,
    }
    Ok(steps.summary())
}
