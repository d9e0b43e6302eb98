//! `cargo xtask simulate`: plays seeds one after another and tells the first that shows something.
#![expect(clippy::print_stdout, reason = "a command-line tool")]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use esoz_simulation::{Defect, Outcome, Stats, simulate};

/// Plays use cases, outbox and relay on stores that fail, in orders that seeds decide
#[derive(Parser)]
#[command(name = "cargo xtask simulate", bin_name = "cargo xtask simulate")]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Tell everything that happens; for few seeds
    #[arg(long)]
    trace: bool,
    /// Plant this mistake, to see it found
    #[arg(long)]
    defect: Option<Defect>,
}

fn main() -> ExitCode {
    let Arguments { seeds, from, trace, defect } = Arguments::parse();
    let (started, mut stats) = (Instant::now(), Stats::default());
    for seed in from..from.saturating_add(seeds) {
        let Outcome { stats: of_seed, violation, trace: lines } = simulate(seed, defect);
        stats += of_seed;
        if trace {
            for line in lines {
                println!("{line}");
            }
        }
        if let Some(violation) = violation {
            println!("seed {seed}: {violation}");
            println!("replay it alone: cargo xtask simulate --from {seed} --seeds 1 --trace");
            return ExitCode::FAILURE;
        }
    }
    println!(
        "{seeds} seeds from {from}, nothing found, {:.1} s\n{stats:#?}",
        started.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}
