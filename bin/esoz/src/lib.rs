#![doc = include_str!("../README.md")]

mod bus;
mod cli;
mod commands;
mod config;
mod logging;
mod server;
mod stores;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};

pub use config::Config;
pub use server::{EsozServer, Parts};
pub use stores::Stores;

/// Runs the command that the command line asks for. A failure is told on standard error and becomes exit code 1.
pub async fn run() -> ExitCode {
    match command(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            logging::complain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn command(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = Config::load(cli.config.as_deref())?;
    logging::start(&config)?;
    match cli.command {
        Command::Demo(args) => commands::demo::run(config, args).await,
        Command::Serve => commands::serve::run(&config).await,
        Command::Migrate => commands::migrate::run(&config).await,
        Command::Import(args) => commands::import::run(&config, args).await,
        Command::Token(command) => commands::credentials::token(&config, command).await,
        Command::ApiKey(command) => commands::credentials::api_key(&config, command).await,
        Command::User(command) => commands::credentials::user(&config, command).await,
        Command::Client(command) => commands::credentials::client(&config, command).await,
        Command::Events(args) => commands::events::run(&config, args).await,
    }
}
