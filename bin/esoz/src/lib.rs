#![doc = include_str!("../README.md")]

mod cli;
mod compose;
mod config;
mod health;
mod jobs;
pub mod reference;
mod server;
mod telemetry;
mod tls;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use cli::args::{Cli, Command, ConfigCommand};
use telemetry::logging::{self, Telling};
use tokio::runtime::Runtime;

pub use compose::Parts;
pub use compose::stores::Stores;
pub use config::Config;
pub use server::EsozServer;
pub use telemetry::logging::subscriber;

/// How long work that cannot be interrupted, as a name that is looked up, may hold up the exit.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Runs the command that the command line asks for. A failure is told on standard error and becomes exit code 1.
pub fn main() -> ExitCode {
    let command_line = Cli::parse();
    let done = Runtime::new().context("starting the runtime").and_then(|runtime| {
        let done = runtime.block_on(command(command_line));
        runtime.shutdown_timeout(LAST_WORK);
        done
    });
    done.unwrap_or_else(|error| {
        logging::complain(&error);
        ExitCode::FAILURE
    })
}

async fn command(cli: Cli) -> anyhow::Result<ExitCode> {
    let telling = OnceCell::new();
    let load = || {
        let config = Config::load(cli.config.as_deref())?;
        let started = Telling::start(&config)?;
        telling.get_or_init(|| started);
        anyhow::Ok(config)
    };
    let outcome = carried_out(cli.command, load).await;
    if let Some(telling) = telling.into_inner() {
        telling.stop().await;
    }
    outcome
}

async fn carried_out(
    command: Command,
    load: impl FnOnce() -> anyhow::Result<Config>,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => cli::demo::run(load()?, args).await,
        Command::Serve => cli::serve::run(&load()?).await,
        Command::Migrate => cli::migrate::run(&load()?).await,
        Command::Import(args) => cli::import::run(&load()?, args).await,
        Command::Token(command) => cli::credentials::token(&load()?, command).await,
        Command::ApiKey(command) => cli::credentials::api_key(&load()?, command).await,
        Command::User(command) => cli::credentials::user(&load()?, command).await,
        Command::Client(command) => cli::credentials::client(&load()?, command).await,
        Command::Events(args) => cli::events::run(&load()?, args).await,
        Command::Config(ConfigCommand::Check(output)) => cli::config::check(&load()?, output),
        Command::Doctor(output) => cli::doctor::run(&load()?, output).await,
        Command::Health(args) => cli::health::run(&load()?, args).await,
        Command::Completions { shell } => cli::manual::completions(shell),
        Command::Man => cli::manual::page(),
    }
}
