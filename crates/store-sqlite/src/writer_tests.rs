use diesel::connection::{SimpleConnection as _, TransactionManager as _};
use diesel::sql_types::Integer;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;

fn connection() -> SqliteConnection {
    let mut connection = SqliteConnection::establish(":memory:").unwrap();
    connection.batch_execute("CREATE TABLE filling (it TEXT)").unwrap();
    connection
}

const FILL: &str = "PRAGMA max_page_count = 10; INSERT INTO filling VALUES (zeroblob(100000))";

#[test]
fn a_full_disk_is_unavailable_and_leaves_a_clean_connection() {
    let mut connection = connection();
    let error =
        in_transaction(&mut connection, "filling the disk", |connection| Ok(connection.batch_execute(FILL)?))
            .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.to_string(), "the store is unavailable while filling the disk");
}

#[test]
fn a_transaction_that_sqlite_ended_itself_still_says_why() {
    let mut connection = connection();
    // ON CONFLICT ROLLBACK ends the transaction behind diesel's back, as some failures of the disk do.
    let ended = "CREATE TABLE once (it INTEGER UNIQUE ON CONFLICT ROLLBACK);
        INSERT INTO once VALUES (1); INSERT INTO once VALUES (1)";
    let error =
        in_transaction(&mut connection, "writing twice", |connection| Ok(connection.batch_execute(ended)?))
            .unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "UNIQUE constraint failed: once.it");
}

#[test]
fn a_connection_in_the_middle_of_something_is_not_clean() {
    type Manager = <SqliteConnection as Connection>::TransactionManager;
    let mut connection = connection();
    assert!(is_clean(&mut connection));
    Manager::begin_transaction(&mut connection).unwrap();
    assert!(!is_clean(&mut connection));
}

fn start(settings: &SqliteSettings) -> Writer {
    let file = Arc::new(OpenedFile::at(settings).unwrap());
    Writer::start(settings, &file, connection::for_writing(settings).unwrap()).unwrap()
}

struct Desk {
    writer: Arc<Writer>,
    settings: SqliteSettings,
    _folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = SqliteSettings::at(folder.path().join("esoz.db"));
        crate::migrate(&settings).unwrap();
        let writer = Arc::new(start(&settings));
        Self { writer, settings, _folder: folder }
    }

    /// Holds the turn until it is told to let go.
    async fn hold(&self) -> (std::sync::mpsc::Sender<()>, JoinHandle<Result<(), StoreError>>) {
        let (let_go, told) = std::sync::mpsc::channel();
        let (sign, has_turn) = std::sync::mpsc::channel();
        let told = Mutex::new(told);
        let writer = self.writer.clone();
        let holder = tokio::spawn(async move {
            let hold = move |_: &mut SqliteConnection| {
                sign.send(()).unwrap();
                told.lock().unwrap().recv().unwrap();
                Ok(())
            };
            writer.write_unshared("holding the turn", hold).await
        });
        while has_turn.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        (let_go, holder)
    }

    /// What becomes of these statements when all wait at the same time; those at these places share with nobody.
    async fn batch_result(
        &self,
        statements: &[&'static str],
        unshared: &[usize],
    ) -> Vec<Result<(), StoreError>> {
        let (let_go, holder) = self.hold().await;
        let mut writes = Vec::new();
        for (location, statement) in statements.iter().copied().enumerate() {
            let (turn, is_apart) = (self.writer.clone(), unshared.contains(&location));
            let change = move |connection: &mut SqliteConnection| {
                assert_ne!(statement, "panic", "on purpose");
                Ok(connection.batch_execute(statement)?)
            };
            writes.push(tokio::spawn(async move {
                if is_apart {
                    turn.write_unshared("writing", change).await
                } else {
                    turn.write("writing", change).await
                }
            }));
            while self.writer.waiting() < writes.len() {
                tokio::task::yield_now().await;
            }
        }
        let_go.send(()).unwrap();
        holder.await.unwrap().unwrap();
        let mut outcomes = Vec::new();
        for write in writes {
            outcomes.push(write.await.unwrap());
        }
        outcomes
    }

    fn users(&self) -> i64 {
        let mut connection = connection::for_writing(&self.settings).unwrap();
        crate::schema::users::table.count().get_result(&mut connection).unwrap()
    }
}

const INSERTS: [&str; 8] = [
    "INSERT INTO users (id) VALUES ('a')",
    "INSERT INTO users (id) VALUES ('b')",
    "INSERT INTO users (id) VALUES ('c')",
    "INSERT INTO users (id) VALUES ('d')",
    "INSERT INTO users (id) VALUES ('e')",
    "INSERT INTO users (id) VALUES ('f')",
    "INSERT INTO users (id) VALUES ('g')",
    "INSERT INTO users (id) VALUES ('h')",
];

#[derive(QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = Integer)]
    log: i32,
}

#[tokio::test]
async fn those_that_wait_at_the_same_time_share_a_commit() {
    let desk = Desk::new();
    let mut look = connection::for_writing(&desk.settings).unwrap();
    look.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    for outcome in desk.batch_result(&INSERTS, &[]).await {
        outcome.unwrap();
    }
    assert_eq!(desk.users(), 8);
    // Each commit puts the table's page, and that of its index, into the log anew.
    let checkpoint = diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result::<Checkpoint>(&mut look);
    let pages = checkpoint.unwrap().log;
    assert!((1..=4).contains(&pages), "{pages} pages");
}

#[tokio::test]
async fn one_that_fails_takes_none_of_its_neighbours_with_it_and_leaves_nothing() {
    let desk = Desk::new();
    let mut statements = INSERTS.to_vec();
    statements.insert(3, "INSERT INTO users (id) VALUES ('half'); INSERT INTO users (id) VALUES ('a')");
    statements.insert(6, FILL);
    let outcomes = desk.batch_result(&statements, &[]).await;
    let failed: Vec<usize> =
        outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_err()).map(|(index, _)| index).collect();
    assert_eq!(failed, [3, 6], "{outcomes:?}");
    assert_eq!(desk.users(), 8);
}

#[tokio::test]
async fn one_that_panics_takes_none_of_its_neighbours_with_it() {
    let desk = Desk::new();
    let mut statements = INSERTS.to_vec();
    statements.insert(2, "panic");
    let outcomes = desk.batch_result(&statements, &[]).await;
    let failed: Vec<_> = outcomes.into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
    assert_eq!(failed, [StoreErrorKind::Unexpected]);
    assert_eq!(desk.users(), 8);
}

#[tokio::test]
async fn those_that_share_with_nobody_have_their_turn_between_the_others() {
    let desk = Desk::new();
    for outcome in desk.batch_result(&INSERTS, &[1, 4, 7]).await {
        outcome.unwrap();
    }
    assert_eq!(desk.users(), 8);
}

#[tokio::test]
async fn after_a_panic_the_next_write_finds_the_file_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SqliteSettings::at(dir.path().join("esoz.db"));
    crate::migrate(&settings).unwrap();
    let writer = start(&settings);
    let insert = "INSERT INTO users (id) VALUES ('once')";
    let broken: Result<(), StoreError> = writer
        .write("panicking", move |connection| {
            connection.batch_execute(insert)?;
            panic!("on purpose");
        })
        .await;
    assert_eq!(broken.unwrap_err().kind(), StoreErrorKind::Unexpected);
    // The same key again would be refused if the first had stayed.
    writer.write("writing", move |connection| Ok(connection.batch_execute(insert)?)).await.unwrap();
}
