//! The same file in another process. That process is this test's own program, run again for the one test that is named, which finds
//! from its environment that it is the other one.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use esoz_auth::{AccessTokens, Credentials as _, Secret};
use esoz_store_sqlite::{SqliteSettings, SqliteStore};
use esoz_testkit::builders::{access_token, secret};

use crate::common::fresh;
use crate::{ask, count, shell};

const DATABASE: &str = "ESOZ_TEST_DATABASE_OF_THE_OTHER_PROCESS";
/// Begins a line of the other process that says what it has committed.
const COMMITTED: &str = "committed ";

/// The file, if this is the other process.
fn database_of_the_other() -> Option<OsString> {
    std::env::var_os(DATABASE)
}

fn other_process(test: &str, database: &SqliteSettings) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DATABASE, &database.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn store(path: OsString) -> SqliteStore {
    SqliteStore::open(&SqliteSettings { busy_timeout_ms: 60_000, ..SqliteSettings::at(path) }).unwrap()
}

/// Stores tokens for ever or that many times, and says after each commit which.
async fn write(store: &SqliteStore, times: usize) {
    for _ in 0..times {
        let token = secret();
        store.add_token(&access_token(&token)).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{COMMITTED}{}", token.expose()).unwrap();
        out.flush().unwrap();
    }
}

/// What the other process says to have committed, as it says so.
fn committed(child: &mut Child) -> impl Iterator<Item = Secret> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| {
        // The test harness of the other process writes into the same line.
        line.split_once(COMMITTED).map(|(_, token)| Secret::new(token))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_survives_the_killing_of_its_process() {
    if let Some(path) = database_of_the_other() {
        return write(&store(path), usize::MAX).await;
    }
    let fresh = fresh();
    let test = "processes::what_was_committed_survives_the_killing_of_its_process";
    let mut child = other_process(test, &fresh.settings);
    let mut lines = committed(&mut child);
    let mut tokens: Vec<Secret> = lines.by_ref().take(50).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said between the last look and its death counts as well, but for a line that it did not end.
    tokens.extend(lines.filter(|token| token.expose().len() == secret().expose().len()));
    assert!(tokens.len() >= 50);
    let store = SqliteStore::open(&fresh.settings).unwrap();
    for token in tokens {
        assert!(AccessTokens::find(&store, &token).await.unwrap().is_some(), "a committed token is gone");
    }
    store.add_token(&access_token(&secret())).await.unwrap();
    let mut shell = shell(&fresh.settings.path);
    let check = "SELECT group_concat(integrity_check) AS answer FROM pragma_integrity_check";
    assert_eq!(ask(&mut shell, check).as_deref(), Some("ok"));
    let halves = "SELECT count(*) AS number FROM users WHERE id NOT IN (SELECT user_id FROM access_tokens)";
    assert_eq!(count(&mut shell, halves), 0, "half of a change stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_at_the_same_time() {
    const TIMES: usize = 100;
    if let Some(path) = database_of_the_other() {
        return write(&store(path), TIMES).await;
    }
    let fresh = fresh();
    let mut child = other_process("processes::two_processes_write_at_the_same_time", &fresh.settings);
    let mut lines = committed(&mut child);
    let first = lines.next().unwrap();
    write(&fresh.store, TIMES).await;
    let others: Vec<Secret> = std::iter::once(first).chain(lines).collect();
    assert!(child.wait().unwrap().success());
    assert_eq!(others.len(), TIMES);
    for token in others {
        assert!(AccessTokens::find(&fresh.store, &token).await.unwrap().is_some());
    }
    let mut shell = shell(&fresh.settings.path);
    let tokens = count(&mut shell, "SELECT count(*) AS number FROM access_tokens");
    assert_eq!(usize::try_from(tokens).unwrap(), 2 * TIMES);
}
