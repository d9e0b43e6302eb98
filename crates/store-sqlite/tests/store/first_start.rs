//! The first start on a file that is missing or half made, by one or by many, killed at any instant.

use std::sync::Barrier;
use std::thread;

use diesel::connection::SimpleConnection as _;
use esoz_auth::Credentials as _;
use esoz_store_sqlite::{SqliteSettings, SqliteStore, migrate};
use esoz_testkit::builders::{access_token, secret};

use crate::migrations::all;
use crate::shell;

fn settings(folder: &tempfile::TempDir) -> SqliteSettings {
    SqliteSettings { busy_timeout_ms: 60_000, ..SqliteSettings::at(folder.path().join("esoz.db")) }
}

/// Puts the first migrations into an empty file, as a start that applied one after the other would leave it.
fn make_half(settings: &SqliteSettings, migrations: &[String]) {
    let mut shell = shell(&settings.path);
    let table = "PRAGMA journal_mode = WAL; CREATE TABLE __diesel_schema_migrations
        (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";
    shell.batch_execute(table).unwrap();
    for name in migrations {
        let folder = format!("{}/migrations/{name}/up.sql", env!("CARGO_MANIFEST_DIR"));
        shell.batch_execute(&std::fs::read_to_string(folder).unwrap()).unwrap();
        let version = name.split('_').next().unwrap();
        let applied = format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')");
        shell.batch_execute(&applied).unwrap();
    }
}

/// Leaves a file as a start that was killed does.
type HalfMade = Box<dyn Fn(&SqliteSettings)>;

#[test]
fn of_many_first_starts_at_once_each_succeeds() {
    const STARTS: usize = 8;
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let gate = Barrier::new(STARTS);
        let start = || {
            gate.wait();
            SqliteStore::open_or_create(&settings).map(drop)
        };
        thread::scope(|scope| {
            let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
            for start in starts {
                start.join().unwrap().unwrap();
            }
        });
        assert_eq!(migrate(&settings).unwrap(), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_first_start_leaves_is_brought_up_by_the_next() {
    let all = all();
    // Nothing, an empty file, one that has its journal mode and no more, and each number of migrations.
    let mut half_made: Vec<HalfMade> = vec![
        Box::new(|_| {}),
        Box::new(|settings| std::fs::write(&settings.path, "").unwrap()),
        Box::new(|settings| shell(&settings.path).batch_execute("PRAGMA journal_mode = WAL").unwrap()),
    ];
    for applied in 0..=all.len() {
        let migrations = all[..applied].to_vec();
        half_made.push(Box::new(move |settings| make_half(settings, &migrations)));
    }
    for (place, make) in half_made.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        make(&settings);
        let store = SqliteStore::open_or_create(&settings)
            .unwrap_or_else(|error| panic!("{place}: {}", error.with_causes()));
        store.add_token(&access_token(&secret())).await.unwrap();
    }
}

#[test]
fn a_file_with_data_or_of_another_program_is_never_brought_up_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let older = settings(&folder);
    make_half(&older, &all()[..3]);
    shell(&older.path).batch_execute("INSERT INTO users (id, is_blocked) VALUES ('a', 0)").unwrap();
    let text = SqliteStore::open_or_create(&older).unwrap_err().to_string();
    assert!(text.contains("its schema is older than this program"), "{text}");

    let of_others = SqliteSettings::at(folder.path().join("photos.db"));
    shell(&of_others.path).batch_execute("CREATE TABLE photos (id INTEGER)").unwrap();
    let text = SqliteStore::open_or_create(&of_others).unwrap_err().to_string();
    assert!(text.contains("its schema is older than this program"), "{text}");
    let tables = "SELECT count(*) AS number FROM sqlite_master";
    assert_eq!(crate::count(&mut shell(&of_others.path), tables), 1);
}
