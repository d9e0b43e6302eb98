//! What the command line takes.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use uuid::Uuid;

/// Stops device dispenses and updates contract divisions of Ukraine's electronic healthcare system.
#[derive(Debug, Parser)]
#[command(name = "esoz", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// The configuration file. `ESOZ_<SECTION>__<KEY>` variables override it, defaults fill what it leaves out.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts a server with an embedded store and a small data set, and prints requests to paste.
    Demo(DemoArgs),
    /// Serves.
    Serve,
    /// Brings the stores up to date: tables, indexes, the topic. Safe to run twice and beside running servers.
    Migrate,
    /// Loads NDJSON: one {"kind": …, "data": {…}} a line.
    Import(ImportArgs),
    /// Issues and revokes access tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Issues and revokes api keys.
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Blocks a user and lets them in again: none of a blocked user's tokens is valid.
    #[command(subcommand)]
    User(BlockCommand),
    /// Blocks a client and lets it in again: none of a blocked client's tokens and api keys is valid.
    #[command(subcommand)]
    Client(BlockCommand),
    /// Prints the delivered events of the embedded bus, as JSON lines.
    Events(EventsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keeps the store in this folder. Without it the store is temporary and gone at the end.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What to load, in this order; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issues a token and prints it, alone. It is shown this once.
    Issue {
        /// The user it belongs to.
        #[arg(long, value_name = "UUID")]
        user: Uuid,
        /// The client it belongs to: the id of the legal entity that the user acts for.
        #[arg(long, value_name = "UUID")]
        client: Uuid,
        /// What it allows, e.g. "device_dispense:stop".
        #[arg(long)]
        scope: String,
        /// How long it is valid, e.g. 30m, 1h, 7d.
        #[arg(long, default_value = "1h", value_name = "DURATION")]
        ttl: String,
    },
    /// Revokes a token for good.
    Revoke {
        /// The token; `-` reads it from standard input, where no list of processes shows it.
        token: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Issues an api key and prints it, alone. It is shown this once.
    Issue {
        /// The client it is given to.
        #[arg(long, value_name = "UUID")]
        client: Uuid,
        /// What it allows, e.g. "private_contracts:write".
        #[arg(long)]
        scope: String,
    },
    /// Revokes an api key for good.
    Revoke {
        /// The key; `-` reads it from standard input, where no list of processes shows it.
        api_key: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Blocks.
    Block {
        /// Whom.
        id: Uuid,
    },
    /// Lets in again.
    Unblock {
        /// Whom.
        id: Uuid,
    },
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Goes on printing what is delivered, until stopped.
    #[arg(long)]
    pub(crate) follow: bool,
}
