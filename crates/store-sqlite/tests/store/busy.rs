use std::slice;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use esoz_auth::{AccessTokens, Credentials as _};
use esoz_contract_division::ContractRegistry as _;
use esoz_events::{Claim, Outbox as _};
use esoz_kernel::{Put, StoreErrorKind};
use esoz_legal_entity::{LegalEntities, LegalEntityRegistry as _};
use esoz_store_sqlite::{SqliteSettings, SqliteStore};
use esoz_testkit::builders::{access_token, at_millis, division_of, fresh as fresh_id, legal_entity, secret};
use esoz_testkit::wait::wait_for;

use crate::common::{fresh, fresh_with};
use crate::{UpdateFixture, count, shell};

const LONG: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_for_others_and_readers_for_nobody() {
    let fresh = fresh();
    let token = secret();
    let mut other = shell(&fresh.settings.path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let writing = tokio::spawn({
        let (store, token) = (fresh.store.clone(), access_token(&token));
        async move { store.add_token(&token).await }
    });
    fresh.store.ping().await.unwrap();
    assert_eq!(AccessTokens::find(&fresh.store, &token).await.unwrap(), None);
    assert!(!writing.is_finished());
    other.batch_execute("COMMIT").unwrap();
    writing.await.unwrap().unwrap();
    assert!(AccessTokens::find(&fresh.store, &token).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_stays_busy_is_unavailable_and_usable_afterwards() {
    let fresh = fresh_with(|settings| SqliteSettings { busy_timeout_ms: 50, ..settings });
    let mut other = shell(&fresh.settings.path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let token = access_token(&secret());
    for _ in 0..3 {
        let error = fresh.store.add_token(&token).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    }
    other.batch_execute("COMMIT").unwrap();
    fresh.store.add_token(&token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_writes_than_may_wait_are_unavailable_at_once() {
    const WRITES: usize = 10;
    let fresh =
        fresh_with(|settings| SqliteSettings { busy_timeout_ms: 60_000, max_waiting_writes: 1, ..settings });
    let mut other = shell(&fresh.settings.path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let writes: Vec<_> = (0..WRITES)
        .map(|_| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.add_token(&access_token(&secret())).await })
        })
        .collect();
    // One has its turn, one waits; no other may.
    wait_for("the refusals", LONG, async || {
        let refused = writes.iter().filter(|write| write.is_finished()).count();
        if refused >= WRITES - 2 { Ok(()) } else { Err(format!("{refused} refused")) }
    })
    .await;
    other.batch_execute("COMMIT").unwrap();
    let mut stored = 0;
    for write in writes {
        match write.await.unwrap() {
            Ok(()) => stored += 1,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}"),
        }
    }
    assert!((1..=2).contains(&stored), "{stored} were stored");
    assert_eq!(count(&mut other, "SELECT count(*) AS number FROM access_tokens"), stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_nothing_half_done() {
    const CALLERS: usize = 16;
    let fresh = fresh();
    let mut other = shell(&fresh.settings.path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.add_token(&access_token(&secret())).await })
        })
        .collect();
    for caller in callers {
        caller.abort();
        drop(caller.await);
    }
    other.batch_execute("COMMIT").unwrap();
    let last = secret();
    fresh.store.add_token(&access_token(&last)).await.unwrap();
    assert!(AccessTokens::find(&fresh.store, &last).await.unwrap().is_some());
    // Each token comes with a user of its own: a whole number of whole changes, of which at most the one that had its turn is an
    // abandoned one.
    let tokens = count(&mut other, "SELECT count(*) AS number FROM access_tokens");
    assert!((1..=2).contains(&tokens), "{tokens} tokens");
    assert_eq!(count(&mut other, "SELECT count(*) AS number FROM users"), tokens);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_writes_have_their_turn_while_many_records_are_imported() {
    const DIVISIONS: usize = 50_000;
    let fresh = fresh();
    let owner = legal_entity();
    fresh.store.put_legal_entities(slice::from_ref(&owner)).await.unwrap();
    let divisions: Vec<_> = (0..DIVISIONS).map(|_| division_of(owner.facts.id)).collect();
    let importing = tokio::spawn({
        let store = fresh.store.clone();
        async move { store.put_divisions(&divisions).await }
    });
    let mut shell = shell(&fresh.settings.path);
    wait_for("the first divisions", LONG, async || {
        let there = count(&mut shell, "SELECT count(*) AS number FROM divisions");
        if there > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
    fresh.store.add_token(&access_token(&secret())).await.unwrap();
    assert!(!importing.is_finished(), "the write waited for the whole import");
    assert_eq!(importing.await.unwrap().unwrap(), vec![Put::Created; DIVISIONS]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_relay_takes_no_turn_to_write() {
    let fresh = fresh_with(|settings| SqliteSettings { busy_timeout_ms: 50, ..settings });
    let mut other = shell(&fresh.settings.path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let claim =
        Claim { by: fresh_id(), now: at_millis(0), lease: LONG, max_entities: 10, except: Vec::new() };
    assert_eq!(fresh.store.claim(&claim).await.unwrap().events, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_on_one_file_see_each_other() {
    let fresh = fresh();
    let second = SqliteStore::open(&fresh.settings).unwrap();
    let mut tasks = Vec::new();
    for (one, other) in [(fresh.store.clone(), second.clone()), (second, fresh.store.clone())] {
        tasks.push(tokio::spawn(async move {
            for _ in 0..50 {
                let token = secret();
                one.add_token(&access_token(&token)).await.unwrap();
                assert!(AccessTokens::find(&other, &token).await.unwrap().is_some());
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn what_is_no_database_is_corrupt_and_what_cannot_be_opened_unavailable() {
    let dir = fresh().dir;
    let file = dir.path().join("letter.db");
    std::fs::write(&file, "Dear Sir or Madam, ".repeat(1_000)).unwrap();
    let error = SqliteStore::open(&SqliteSettings::at(file)).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let error = SqliteStore::open(&SqliteSettings::at(dir.path())).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_corrupt() {
    let fresh = fresh();
    let fixture = UpdateFixture::set(&fresh.store).await;
    drop(fresh.store);
    let mut shell = shell(&fresh.settings.path);
    // Everything is in the file, nothing in the log beside it.
    wait_for("the last connection to close", LONG, async || {
        shell.batch_execute("PRAGMA journal_mode = DELETE")
    })
    .await;
    let root = "SELECT rootpage AS number FROM sqlite_master WHERE name = 'legal_entities'";
    let page = usize::try_from(count(&mut shell, root)).unwrap();
    let size =
        usize::try_from(count(&mut shell, "SELECT page_size AS number FROM pragma_page_size")).unwrap();
    drop(shell);
    let mut bytes = std::fs::read(&fresh.settings.path).unwrap();
    bytes[(page - 1) * size..page * size].fill(0xEE);
    std::fs::write(&fresh.settings.path, bytes).unwrap();
    let store = SqliteStore::open(&fresh.settings).unwrap();
    let error = LegalEntities::find(&store, fixture.owner).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
}
