//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum as _};

use crate::drive;
use crate::groups::{Group, Results, Settings};
use crate::report::{Machine, Report, load, summary};
use crate::stage::{Venue, Whose};

/// The folder of the book.
const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

/// Measures how fast the server is.
#[derive(Parser)]
#[command(name = "esoz-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures
    Run(Run),
    /// Writes page and plots of the book anew, from the figures that are there
    Page {
        /// The folder of the book
        #[arg(default_value = BOOK)]
        docs: PathBuf,
    },
    /// Does one job, told on standard input: what this program has a process of its own do
    #[command(name = drive::COMMAND, hide = true)]
    Drive,
}

#[derive(clap::Args)]
struct Run {
    /// The server's program
    #[arg(long)]
    program: PathBuf,
    /// Only groups whose name contains this; may be given several times
    #[arg(long, value_name = "GROUP")]
    only: Vec<String>,
    /// How long each measurement takes, in seconds
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often each is made; what is told is the median
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How many records there are to begin with
    #[arg(long, default_value_t = 10_000)]
    records: u64,
    /// On the servers that tests share, to see whether the bench works: what comes out says nothing about speed
    #[arg(long)]
    servers_of_tests: bool,
    /// Write what came out into the book, in place of what is there about the same groups
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = BOOK)]
    write: Option<PathBuf>,
}

/// Runs what the command line asks for. A failure is told on standard error and becomes exit code 1.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run(arguments),
        Command::Page { docs } => Report::read(&docs).and_then(|report| report.write(&docs)),
        Command::Drive => drive::run_told(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Run) -> Result<()> {
    let Run { program, only, seconds, rounds, records, servers_of_tests, write } = arguments;
    anyhow::ensure!(seconds > 0.0 && rounds > 0 && records > 0, "there must be something to measure");
    let is_wanted =
        |group: &Group| only.is_empty() || only.iter().any(|wanted| group.name().contains(wanted.as_str()));
    let groups: Vec<Group> = Group::value_variants().iter().copied().filter(is_wanted).collect();
    let all: Vec<String> = Group::value_variants().iter().map(|group| group.name()).collect();
    anyhow::ensure!(!groups.is_empty(), "no group is called so; there are {}", all.join(", "));
    let venue = Venue::new(if servers_of_tests { Whose::OfTests } else { Whose::Own });
    let settings = Settings { program, venue, rounds, seconds, records };
    let load = load();
    say(&format!("load average before: {load}; ratios are worth something only where nothing else runs"));
    let mut results = Results::default();
    for group in groups {
        let measured = group.measure(&settings, &say).with_context(|| format!("group {}", group.name()))?;
        results.0.insert(group.name(), measured);
    }
    say(&summary(&results));
    if let Some(docs) = write {
        let how = format!(
            "in {rounds} rounds of {seconds} s each, with {records} records to begin with; load average before: {load}"
        );
        Report::newer(&docs, Machine::look(&settings.venue, how), results)?.write(&docs)?;
    }
    Ok(())
}

/// Tells the person at the terminal.
#[expect(clippy::print_stdout, reason = "a command-line tool")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a command-line tool")]
fn complain(error: &anyhow::Error) {
    eprintln!("esoz-bench: {error:#}");
}
