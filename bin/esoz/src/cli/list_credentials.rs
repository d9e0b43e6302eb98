use std::fmt;

use anyhow::{Context as _, Result};
use esoz_auth::{BlockState, Credentials, ListedApiKey, ListedToken, Rejection};
use esoz_kernel::system::SystemClock;
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{ClientId, Clock as _, StoreError, UserId};
use serde::Serialize;

use super::args::OutputArgs;
use super::print;
use crate::compose::stores::Stores;

/// The most entries of a list.
const MAX_LISTED: u32 = 1_000;

/// A credential as it is printed, without the secret.
#[derive(Debug, Serialize)]
struct Entry {
    digest: String,
    state: &'static str,
    issued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    client_id: String,
    scope: String,
}

/// A user or a client as it is printed.
#[derive(Debug, Serialize)]
struct Party {
    id: String,
    state: &'static str,
}

/// Lists access tokens, newest first.
pub(super) async fn tokens(
    stores: &Stores,
    user: Option<UserId>,
    client: Option<ClientId>,
    output: OutputArgs,
) -> Result<()> {
    let listed = stores.credentials.list_tokens(user, client, MAX_LISTED + 1).await;
    let now = SystemClock.now();
    let entry = |ListedToken { facts, issued_at }: ListedToken| Entry {
        digest: facts.digest.short(),
        state: state(facts.rejection(now)),
        issued_at: rfc3339_millis(issued_at),
        expires_at: Some(rfc3339_millis(facts.expires_at)),
        user_id: Some(facts.user_id.to_string()),
        client_id: facts.client_id.to_string(),
        scope: facts.scope.to_string(),
    };
    let listed = listed.context("listing the tokens")?;
    print_entries(listed.into_iter().map(|token| token.map(entry)).collect(), CREDENTIALS, output)
}

/// Lists api keys, newest first.
pub(super) async fn api_keys(stores: &Stores, client: Option<ClientId>, output: OutputArgs) -> Result<()> {
    let listed = stores.credentials.list_api_keys(client, MAX_LISTED + 1).await;
    let entry = |ListedApiKey { facts, issued_at }: ListedApiKey| Entry {
        digest: facts.digest.short(),
        state: state(facts.rejection()),
        issued_at: rfc3339_millis(issued_at),
        expires_at: None,
        user_id: None,
        client_id: facts.client_id.to_string(),
        scope: facts.scope.to_string(),
    };
    let listed = listed.context("listing the api keys")?;
    print_entries(listed.into_iter().map(|key| key.map(entry)).collect(), CREDENTIALS, output)
}

/// Lists users, by id.
pub(super) async fn users(credentials: &dyn Credentials, blocked: bool, output: OutputArgs) -> Result<()> {
    let listed = credentials.list_users(blocked, MAX_LISTED + 1).await.context("listing the users")?;
    print_entries(listed.into_iter().map(|user| user.map(party)).collect(), PARTIES, output)
}

/// Lists clients, by id.
pub(super) async fn clients(credentials: &dyn Credentials, blocked: bool, output: OutputArgs) -> Result<()> {
    let listed = credentials.list_clients(blocked, MAX_LISTED + 1).await.context("listing the clients")?;
    print_entries(listed.into_iter().map(|client| client.map(party)).collect(), PARTIES, output)
}

fn party<Id: fmt::Display>(BlockState { id, is_blocked }: BlockState<Id>) -> Party {
    Party { id: id.to_string(), state: if is_blocked { "blocked" } else { "active" } }
}

/// Which entries of a truncated list are printed, and how to narrow the list.
type Truncation = (&'static str, &'static str);

const CREDENTIALS: Truncation = ("newest", "--client, of tokens also with --user");
const PARTIES: Truncation = ("first", "--blocked");

/// The state of a credential: `valid`, or why it is not, in the words of the log.
fn state(rejection: Option<Rejection>) -> &'static str {
    rejection.map_or("valid", Rejection::code)
}

/// Prints a list that was asked for with one entry more than is printed.
fn print_entries<E: fmt::Display + Serialize>(
    mut listed: Vec<Result<E, StoreError>>,
    (which, narrower): Truncation,
    output: OutputArgs,
) -> Result<()> {
    let is_cut = cut(&mut listed);
    for entry in listed {
        match entry {
            Ok(entry) if output.json => print(&serde_json::to_string(&entry)?)?,
            Ok(entry) => print(&entry.to_string())?,
            Err(error) => {
                let error = error.with_causes();
                tracing::warn!(
                    error,
                    "an entry is left out of the list because it cannot be read; correct what is stored"
                );
            }
        }
    }
    if is_cut {
        tracing::warn!(
            "only the {which} {MAX_LISTED} are listed, and there are more; narrow the list with {narrower}"
        );
    }
    Ok(())
}

/// Cuts a list to the most that is printed. Returns whether it was longer.
fn cut<T>(listed: &mut Vec<T>) -> bool {
    let most = usize::try_from(MAX_LISTED).unwrap_or(usize::MAX);
    let is_longer = listed.len() > most;
    listed.truncate(most);
    is_longer
}

impl fmt::Display for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.id, self.state)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { digest, state, issued_at, expires_at, user_id, client_id, scope } = self;
        write!(formatter, "{digest} {state} issued {issued_at}")?;
        if let Some(expires_at) = expires_at {
            write!(formatter, " expires {expires_at}")?;
        }
        if let Some(user_id) = user_id {
            write!(formatter, " user {user_id}")?;
        }
        write!(formatter, " client {client_id} scope {scope}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_to_the_newest_thousand() {
        for (length, is_longer) in [(0, false), (1_000, false), (1_001, true)] {
            let mut listed: Vec<u32> = (0..length).collect();
            assert_eq!(cut(&mut listed), is_longer, "{length}");
            assert_eq!(listed.len(), usize::try_from(length.min(1_000)).unwrap());
            assert_eq!(listed.first(), (length > 0).then_some(&0));
        }
    }
}
