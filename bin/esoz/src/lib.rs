#![doc = include_str!("../README.md")]

mod cli;
mod components;
mod compose;
mod config;
mod features;
mod health;
mod jobs;
mod open_files;
mod read_files;
mod reload;
mod server;
mod service_manager;
mod telemetry;
mod tls;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::CommandFactory as _;
use cli::args::{Cli, Command, ConfigCommand};
use telemetry::logging::{LogLevel, Logging};
use tokio::runtime::Runtime;

pub use compose::Parts;
pub use compose::stores::Stores;
pub use config::Config;
pub use server::EsozServer;
pub use telemetry::logging::subscriber;
pub use telemetry::metrics::definitions::{
    Described as MetricDescription, Kind as MetricKind, Label as MetricLabel, all as metrics,
};

/// How long the exit waits for work that cannot be cancelled, such as a DNS lookup.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Describes the command line.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command of the command line. Prints an error to standard error, and exits with code 1.
pub fn main() -> ExitCode {
    let cli = cli::usage::parse();
    open_files::raise_limit();
    let mut logging = OnceCell::new();
    let outcome = Runtime::new().context("starting the runtime").and_then(|runtime| {
        let outcome = runtime.block_on(run(cli, &mut logging));
        runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        outcome
    });
    drop(logging);
    match outcome {
        Ok(code) => code,
        // The output is incomplete, so the exit code is 1; its reader, e.g. `head`, knows why.
        Err(error) if cli::is_broken_pipe(&error) => ExitCode::FAILURE,
        Err(error) => {
            telemetry::logging::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli, logging: &mut OnceCell<Logging>) -> anyhow::Result<ExitCode> {
    let load = || {
        let config = Config::load(cli.config.as_deref())?;
        let started = Logging::start(&config)?;
        let level = started.level();
        logging.get_or_init(|| started);
        config.warn_of_ignored_variables();
        anyhow::Ok((config, level))
    };
    let outcome = execute(cli.command, load).await;
    if let Some(logging) = logging.get_mut() {
        logging.stop_export().await;
    }
    outcome
}

async fn execute(
    command: Command,
    load: impl Fn() -> anyhow::Result<(Config, LogLevel)>,
) -> anyhow::Result<ExitCode> {
    let config = || anyhow::Ok(load()?.0);
    match command {
        Command::Demo(args) => cli::demo::run(config()?, args).await?,
        Command::Serve => {
            let (config, level) = load()?;
            cli::serve::run(&config, level).await?;
        }
        Command::Migrate(args) => cli::migrate::run(&config()?, &args).await?,
        Command::Import(args) => return cli::import::run(&config()?, args).await,
        Command::Export(args) => return cli::export::run(&config()?, args).await,
        Command::Token(command) => cli::credentials::token(&config()?, command).await?,
        Command::ApiKey(command) => cli::credentials::api_key(&config()?, command).await?,
        Command::User(command) => cli::credentials::user(&config()?, command).await?,
        Command::Client(command) => cli::credentials::client(&config()?, command).await?,
        Command::Expire(args) => cli::expire::run(&config()?, args).await?,
        Command::Events(args) => cli::events::run(&config()?, args).await?,
        Command::Config(ConfigCommand::Check(output)) => cli::config::check(&config()?, output).await?,
        Command::Doctor(args) => return cli::doctor::run(&config()?, args).await,
        Command::Health(args) => cli::health::run(&config()?, args).await?,
        Command::Sign(args) => cli::sign::run(&args)?,
        Command::Completions { shell } => cli::manual::completions(shell)?,
        Command::Man { folder: None } => cli::manual::page()?,
        Command::Man { folder: Some(folder) } => cli::manual::pages(&folder)?,
    }
    Ok(ExitCode::SUCCESS)
}
