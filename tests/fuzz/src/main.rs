//! `esoz-fuzz`: names the targets, and moves inputs between the files that are kept and the folders that a fuzzer works in.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use esoz_fuzz::{Target, all, corpus, named};

/// The inputs of the fuzz targets.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Names every target
    List,
    /// Writes everything that is known for a target into a folder, a file for each input
    Unpack {
        /// The target
        target: String,
        /// The folder
        into: PathBuf,
    },
    /// Keeps the inputs of a folder for a target
    Pack {
        /// The target
        target: String,
        /// The folder
        from: PathBuf,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::List => all().iter().for_each(|target| say(target.name)),
        Command::Unpack { target, into } => corpus::unpack(&find(&target)?, &into)?,
        Command::Pack { target, from } => say(&corpus::pack(&find(&target)?, &from)?.to_string()),
    }
    Ok(())
}

fn find(name: &str) -> Result<Target> {
    let names = || all().iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    named(name).with_context(|| format!("there is no target {name}; there are {}", names()))
}

#[expect(clippy::print_stdout, reason = "a command-line tool")]
fn say(text: &str) {
    println!("{text}");
}
