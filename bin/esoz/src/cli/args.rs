//! What the command line takes.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use esoz_auth::Secret;
use uuid::Uuid;

/// Told below the help of the whole program.
const ENDING: &str = "\
Exit codes:
  0  done
  1  not done, or not all of it (a bad line of an import, something wrong for `doctor`); standard error says why
  2  the command line makes no sense

Output goes to standard output, logs and complaints to standard error. NO_COLOR in the environment switches colours off.

Examples:
  esoz demo                                   a server to try, with nothing to set up
  esoz migrate --config esoz.toml             tables, indexes and the topic
  esoz serve --config esoz.toml               serve
  ESOZ_HTTP__BIND=127.0.0.1:0 esoz serve      any key of the configuration as a variable";

/// Stops device dispenses and updates contract divisions of Ukraine's electronic healthcare system.
#[derive(Debug, Parser)]
#[command(name = "esoz", version, max_term_width = 100, after_help = ENDING)]
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
    #[command(
        after_help = "Loading again undoes nothing: dispenses and contract divisions that are there stay as they are.\n\n\
        Example:\n  esoz import registry.ndjson dispenses.ndjson"
    )]
    Import(ImportArgs),
    /// Issues and revokes access tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Issues and revokes api keys.
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Blocks or unblocks a user: no token of a blocked user is valid, whichever issuer it comes from.
    #[command(subcommand)]
    User(BlockCommand),
    /// Blocks or unblocks a client: no token and no api key of a blocked client is valid, whichever issuer it comes from.
    #[command(subcommand)]
    Client(BlockCommand),
    /// Prints the delivered events of the embedded bus, or those that cannot be delivered, as JSON lines; retries or drops the latter.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  esoz events --follow | jq .entity_id\n  esoz events --failed | jq -r .id\n  esoz events retry --all"
    )]
    Events(EventsArgs),
    /// Looks at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Looks at what the configuration names, and says what is wrong with it and how to mend it.
    Doctor(OutputArgs),
    /// Asks a running server whether it can serve. For the probe of a container.
    #[command(after_help = "Example, in a Dockerfile:\n  HEALTHCHECK CMD [\"esoz\", \"health\"]")]
    Health(HealthArgs),
    /// Prints the completions for a shell.
    #[command(after_help = "Example:\n  esoz completions bash > /etc/bash_completion.d/esoz")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page.
    #[command(after_help = "Example:\n  esoz man > /usr/local/share/man/man1/esoz.1")]
    Man,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Checks it, and prints every key with its value and where that came from. Secrets are masked.
    Check(OutputArgs),
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArgs {
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
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
    /// Stores fields of a dispense that are not known, at every level, as they are. Without it their line is refused: a misspelt field must
    /// not get lost.
    #[arg(long)]
    pub(crate) keep_unknown: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issues a token and prints it, alone. It is shown this once.
    #[command(
        after_help = "Example:\n  esoz token issue --user 5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01 \\\n    \
        --client 1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10 --scope device_dispense:stop --ttl 8h"
    )]
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
        #[arg(value_parser = presented)]
        token: Secret,
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
        #[arg(value_parser = presented)]
        api_key: Secret,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Blocks it: its tokens and keys stop working.
    Block {
        /// The id of the user or client.
        id: Uuid,
    },
    /// Unblocks it.
    Unblock {
        /// The id of the user or client.
        id: Uuid,
    },
}

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Where the server is; with https its certificate must be vouched for by a public authority. Without it: at `http.bind` on this
    /// machine, by TLS if `tls` is configured, whatever name the certificate is made out to.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Asks only whether it runs, not whether it can serve.
    #[arg(long)]
    pub(crate) live: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Goes on printing what is delivered, until stopped.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Prints the events that cannot be delivered and were set aside, of every outbox, without their content.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) failed: bool,
    #[command(subcommand)]
    pub(crate) command: Option<EventsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Lets events that were set aside be delivered, as if they had not been.
    Retry {
        /// Which, by the `id` that `esoz events --failed` prints.
        #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "ID")]
        ids: Vec<String>,
        /// Every one.
        #[arg(long)]
        all: bool,
    },
    /// Deletes an event that was set aside, undelivered; the later events of its entity are then delivered.
    Drop {
        /// Which, by the `id` that `esoz events --failed` prints.
        id: String,
    },
}

/// A secret from the command line, which no `Debug` of it shows.
#[expect(clippy::unnecessary_wraps, reason = "clap asks for a result")]
fn presented(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
