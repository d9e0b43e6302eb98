//! The command line, as clap parses it.

mod credentials;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser, StringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};
use esoz_import::{ImportLimits, RecordKind};
use esoz_kernel::parse_uuid;

use crate::features::VERSION;

pub(crate) use credentials::{ApiKeyCommand, BlockCommand, TokenCommand};

/// The largest limit of a line of an import: 256 MiB.
const MAX_LINE_BYTES: u64 = 1 << 28;

/// Shown below the help of the whole program.
const AFTER_HELP: &str = "\
Exit codes:
  0  success
  1  failure, complete or partial (a bad line of an import, a problem that `doctor` found, with --strict also a warning); the output says why; a broken pipe (standard output closed by its reader) says nothing
  2  the command line is invalid

Output goes to standard output, logs and errors to standard error. NO_COLOR in the environment switches colours off.

Examples:
  esoz demo                                   a server to try, without any setup
  esoz migrate --config esoz.toml             create or update tables, indexes and the topic
  esoz serve --config esoz.toml               run the server
  ESOZ_HTTP__BIND=127.0.0.1:0 esoz serve      set any key of the configuration by a variable";

/// Shown below the help of an export.
const EXPORT_AFTER_HELP: &str = "\
Records come by kind, in an order in which they can be imported, and then by id; each as it was at some time during the export. Standard \
error gets the number of each kind, and every record that cannot be read, or that an import would refuse: table or kind, id and field. \
Then the exit code is 1; everything readable is exported all the same.

With patient.pseudonym = \"hmac-sha256\" a dispense or a person is exported with the patient's pseudonym (`subject`) instead of the patient, \
and with either scheme a party with the digest of its taxpayer number (`tax_id_digest`). Import them with --pseudonymous into a store with \
the same patient secret. Back the secret up separately: without it a patient's dispenses cannot be found. With \"aes-128-cbc\" the patient \
is exported.

Tokens, api keys, blocks of users, the audit log, the event log, events that wait for delivery and idempotency records are not exported.

Examples:
  esoz export > all.ndjson
  esoz export --kind device_dispense | gzip > dispenses.ndjson.gz
  esoz import --keep-unknown --pseudonymous all.ndjson";

/// Shown below the help of signing.
const SIGN_AFTER_HELP: &str = "\
The document is a JSON object on standard input; of an answer of the server its data are signed. Key and certificates are for tests: the key \
is in the clear, and a server takes such signatures only if signature.authorities_file names the folder's authority.pem.

Example:
  curl -s \"$DISPENSE\" -H \"$TOKEN\" | esoz sign --folder keys --drfo 1234567890 --set '{\"status\": \"completed\"}'";

/// Carries out methods of Ukraine's electronic healthcare system (ESOZ): device dispenses, contract divisions, events.
#[derive(Debug, Parser)]
#[command(name = "esoz", version, long_version = VERSION.as_str(), max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// The configuration file (TOML). Without it, the file that the environment variable `ESOZ_CONFIG` names. `ESOZ_<SECTION>__<KEY>`
    /// environment variables override the file; keys that neither sets have defaults.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts a server with an embedded store and sample data, and prints requests to paste.
    #[command(
        after_help = "Not for data of real people: the log and the page `/` have the whole path of a request that is answered 404, \
        and with it the id of the patient."
    )]
    Demo(DemoArgs),
    /// Runs the server.
    Serve,
    /// Migrates the stores: creates or updates tables and indexes, creates the topic. Safe to repeat, and while servers run.
    Migrate(MigrateArgs),
    /// Imports NDJSON files: one {"kind": …, "data": {…}} per line.
    #[command(
        after_help = "An import can be repeated: it leaves dispenses and contract divisions that already exist as they are, and does not reopen completed device requests.\n\n\
        Examples:\n  esoz import --dry-run registry.ndjson   check first, write nothing\n  esoz import registry.ndjson dispenses.ndjson"
    )]
    Import(ImportArgs),
    /// Exports records as NDJSON that `esoz import` takes back, to standard output. Safe while servers run; do not import meanwhile.
    #[command(after_help = EXPORT_AFTER_HELP)]
    Export(ExportArgs),
    /// Issues, lists and revokes access tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Issues, lists and revokes api keys.
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Blocks, unblocks and lists users. Every token of a blocked user is refused, whichever issuer it comes from.
    #[command(subcommand)]
    User(BlockCommand),
    /// Blocks, unblocks and lists clients. Every token and api key of a blocked client is refused, whichever issuer it comes from.
    #[command(subcommand)]
    Client(BlockCommand),
    /// Expires overdue device dispenses once, as a running server does every `device_dispense.expire_every_s`. Prints how many.
    #[command(after_help = "Example:\n  esoz expire --dry-run --config esoz.toml")]
    Expire(ExpireArgs),
    /// Prints events as JSON lines: those delivered to the embedded bus, or those set aside as undeliverable. Retries or drops the latter.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  esoz events --follow | jq .entity_id\n  esoz events --failed | jq -r .id\n  esoz events retry --all"
    )]
    Events(EventsArgs),
    /// Checks and shows the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Checks every store, broker and file that the configuration names. Prints each problem and its remedy.
    #[command(
        after_help = "A line begins with `ok`, `WRONG` (a problem: the exit code is 1) or `UNSAFE` (a warning: with --strict the exit code is 1).\n\n\
        Example, before a deployment:\n  esoz doctor --strict --config esoz.toml"
    )]
    Doctor(DoctorArgs),
    /// Asks a running server whether it is ready. For container health checks.
    #[command(after_help = "Example, in a Dockerfile:\n  HEALTHCHECK CMD [\"esoz\", \"health\"]")]
    Health(HealthArgs),
    /// Signs a document as a user would, with a key made for tests: reads JSON, prints the body of a request.
    #[command(after_help = SIGN_AFTER_HELP)]
    Sign(SignArgs),
    /// Prints shell completions.
    #[command(after_help = "Example:\n  esoz completions bash > /etc/bash_completion.d/esoz")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page, or writes those of all commands.
    #[command(after_help = "Example:\n  esoz man --folder /usr/local/share/man/man1")]
    Man {
        /// Writes the pages of all commands into this folder, which must exist, and prints nothing.
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The folder with the signer, and with the authority that issued its certificate (`authority.pem`).
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// Makes authority and signer if the folder has none, with this taxpayer number (DRFO) in the certificate.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) drfo: Option<String>,
    /// Sets these fields of the document before it is signed: a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) set: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Validates the configuration, and prints every key with its value and the source of the value. Secrets are masked.
    Check(OutputArgs),
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArgs {
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DoctorArgs {
    /// Fails (exit code 1) if there are warnings (`UNSAFE`), too.
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Makes the configured patient key and scheme those of the store, which refuses any others from then on. Only after all stored pseudonyms were
    /// made anew with them, while no server runs: it changes no pseudonym.
    #[arg(long)]
    pub(crate) accept_patient_key: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keeps the store in this folder, which must be new, empty or an earlier demo's. Without it the store is temporary: deleted at exit.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Listens on this port, or the next one that is free. Without it on that of `http.bind`.
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The files to import, in this order; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Checks every line as an import does, what it refers to included, and writes nothing. Prints how many records of each kind are valid, and every bad
    /// line. Does not check what only a write finds: another active contract division with the same contract and division, another party with the same user.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Stores unknown fields of a dispense unchanged, at every level. Without it a line with an unknown field is refused, since the field
    /// may be misspelt.
    #[arg(long)]
    pub(crate) keep_unknown: bool,
    /// Takes dispenses and persons with a pseudonym (`subject`) in the place of a patient, and parties with the digest of a taxpayer number
    /// (`tax_id_digest`), as `esoz export` writes them. The configured patient secret must be the one that they were made with: otherwise no
    /// patient's dispenses are found, and no signer is known. Lines with a patient or a number are taken as well.
    #[arg(long)]
    pub(crate) pseudonymous: bool,
    /// The longest line that is taken, in bytes, up to 256 MiB; a longer one is a bad line. The memory that an import needs grows with it.
    #[arg(long, value_name = "N", default_value_t = ImportLimits::default().max_line_bytes)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_LINE_BYTES))]
    pub(crate) max_line_bytes: usize,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Exports records of this kind; can be repeated. Without it records of all kinds are exported.
    #[arg(long = "kind", value_name = "KIND")]
    #[arg(value_parser = PossibleValuesParser::new(RecordKind::ALL.map(RecordKind::as_str)).try_map(|word| word.parse::<RecordKind>()))]
    pub(crate) kinds: Vec<RecordKind>,
}

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// The URL of the server. With https an authority that this machine trusts must have signed its certificate. Default: `http.bind` on this machine, by
    /// TLS if section `tls` is configured; there any certificate is accepted.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Asks whether the server is alive, not whether it is ready.
    #[arg(long)]
    pub(crate) live: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExpireArgs {
    /// Only counts the overdue dispenses.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Keeps printing events as they are delivered, until interrupted.
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
    /// Retries events that were set aside: puts them back for delivery.
    Retry {
        /// The `id`s of the events, as `esoz events --failed` prints them.
        #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "ID")]
        #[arg(value_parser = StringValueParser::new().map(as_printed))]
        ids: Vec<String>,
        /// Retries all events that were set aside.
        #[arg(long)]
        all: bool,
    },
    /// Deletes an event that was set aside, undelivered; the later events of its entity are then delivered.
    Drop {
        /// The `id` of the event, as `esoz events --failed` prints it.
        #[arg(value_parser = StringValueParser::new().map(as_printed))]
        id: String,
    },
}

/// The id of an event as `esoz events --failed` prints it: a UUID is taken in either case.
fn as_printed(id: String) -> String {
    parse_uuid(&id).map_or(id, |id| id.to_string())
}
