//! What is wrong with a command line, told without what may be a secret.

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue};

use super::args::Cli;

/// So long is what may be a token or an api key that was given in the place of something else.
const SECRET_CHARS: usize = 32;

/// Parses the command line. Exits with code 2 when it is wrong, and with 0 after `--help` and `--version`.
pub(crate) fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| without_secrets(error).exit())
}

fn without_secrets(mut error: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue, ContextKind::InvalidSubcommand] {
        // An option is named with its value, as `--digest <DIGEST>`: it is no secret.
        let may_be_secret = |text: &str| text.len() >= SECRET_CHARS && !text.contains(' ');
        if matches!(error.get(kind), Some(ContextValue::String(text)) if may_be_secret(text)) {
            error.insert(kind, ContextValue::String("…".to_owned()));
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "mJ2qXw7dV0s8yTzR4nLpKb1cHf6gUe3aQoI5xYtWvZ9";

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        for arguments in [
            ["esoz", "token", "revoke", "--digest", SECRET],
            ["esoz", "token", "issue", "--user", SECRET],
            ["esoz", "client", "block", "--", SECRET],
            ["esoz", "health", "--live", "--", SECRET],
            ["esoz", "--config", "esoz.toml", SECRET, "list"],
        ] {
            let error = Cli::try_parse_from(arguments).unwrap_err();
            assert!(error.to_string().contains(SECRET), "{error}");
            let told = without_secrets(error).to_string();
            assert!(!told.contains(SECRET) && told.contains('…'), "{told}");
        }
    }

    #[test]
    fn what_is_too_short_for_a_secret_is_told() {
        let error = Cli::try_parse_from(["esoz", "demo", "--port", "80800"]).unwrap_err();
        assert!(without_secrets(error).to_string().contains("'80800'"));
    }
}
