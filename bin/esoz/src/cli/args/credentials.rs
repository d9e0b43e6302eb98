//! The commands `token`, `api-key`, `user` and `client`.

use clap::Subcommand;
use clap::builder::{StringValueParser, TypedValueParser as _};
use esoz_auth::{DigestPrefix, Secret};
use uuid::Uuid;

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issues a token and prints only it. It cannot be shown again.
    #[command(
        after_help = "Example:\n  esoz token issue --user 5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01 \\\n    \
        --client 1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10 --scope device_dispense:stop --ttl 8h"
    )]
    Issue {
        /// The user that the token authenticates.
        #[arg(long, value_name = "UUID")]
        user: Uuid,
        /// The client that the token authenticates: the id of the legal entity that the user acts for.
        #[arg(long, value_name = "UUID")]
        client: Uuid,
        /// The scopes, separated by a space, e.g. "device_dispense:stop device_dispense:read". Standard error gets a warning for each that no
        /// operation of this server asks a token for.
        #[arg(long)]
        scope: String,
        /// The lifetime, e.g. 30m, 1h, 7d.
        #[arg(long, default_value = "1h", value_name = "DURATION")]
        ttl: String,
    },
    /// Lists tokens, the newest first, at most 1,000. Never prints the tokens themselves.
    #[command(
        after_help = "A line has the first 12 hexadecimal digits of the token's SHA-256 digest, `valid` or why it is not, \
        when it was issued and when it expires, user, client and scope."
    )]
    List {
        /// Lists only the tokens of this user.
        #[arg(long, value_name = "UUID")]
        user: Option<Uuid>,
        /// Lists only the tokens of this client.
        #[arg(long, value_name = "UUID")]
        client: Option<Uuid>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Revokes a token permanently.
    Revoke {
        /// The token; `-` reads it from standard input, which hides it from process listings.
        #[arg(value_parser = StringValueParser::new().map(Secret::new), required_unless_present = "digest", conflicts_with = "digest")]
        token: Option<Secret>,
        /// In its place: the first digits of its digest, at least 8, as `esoz token list` shows them. If several begin so, none is revoked.
        #[arg(long, value_name = "DIGITS")]
        digest: Option<DigestPrefix>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Issues an api key and prints only it. It cannot be shown again.
    Issue {
        /// The client that the key authenticates.
        #[arg(long, value_name = "UUID")]
        client: Uuid,
        /// The scopes, separated by a space, e.g. "private_contracts:write". Standard error gets a warning for each that no operation of this
        /// server asks an api key for.
        #[arg(long)]
        scope: String,
    },
    /// Lists api keys, the newest first, at most 1,000. Never prints the keys themselves.
    #[command(
        after_help = "A line has the first 12 hexadecimal digits of the key's SHA-256 digest, `valid` or why it is not, \
        when it was issued, client and scope."
    )]
    List {
        /// Lists only the keys of this client.
        #[arg(long, value_name = "UUID")]
        client: Option<Uuid>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Revokes an api key permanently.
    Revoke {
        /// The key; `-` reads it from standard input, which hides it from process listings.
        #[arg(value_parser = StringValueParser::new().map(Secret::new), required_unless_present = "digest", conflicts_with = "digest")]
        api_key: Option<Secret>,
        /// In its place: the first digits of its digest, at least 8, as `esoz api-key list` shows them. If several begin so, none is revoked.
        #[arg(long, value_name = "DIGITS")]
        digest: Option<DigestPrefix>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Lists the users or clients that a credential was issued to here, or that were blocked once, by id, at most 1,000.
    #[command(after_help = "A line has the id, and `active` or `blocked`.")]
    List {
        /// Lists only those that are blocked.
        #[arg(long)]
        blocked: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Blocks the user or client: its tokens and keys are refused. Prints within which time.
    Block {
        /// The id of the user or client.
        id: Uuid,
    },
    /// Unblocks the user or client.
    Unblock {
        /// The id of the user or client.
        id: Uuid,
    },
}
