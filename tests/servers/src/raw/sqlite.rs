use std::path::{Path, PathBuf};

use async_trait::async_trait;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{Nullable, Text};
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use esoz_kernel::{ContractDivisionId, DeviceRequestId, DispenseId, EventId};
use serde_json::Value;

use super::audit_row;
use esoz_testkit::contract::{
    Audit, AuditRow, Delivered, Message, RawDeviceRequests, RawDispenses, RawEventLog,
};

/// A SQLite file of ours.
pub struct SqliteFile {
    path: PathBuf,
}

#[derive(QueryableByName)]
struct Json {
    #[diesel(sql_type = Text)]
    json: String,
}

#[derive(QueryableByName)]
struct LogRow {
    #[diesel(sql_type = Text)]
    json: String,
    #[diesel(sql_type = Nullable<Text>)]
    request_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    traceparent: Option<String>,
}

impl SqliteFile {
    /// The file at that path, which a store has made.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn connect(&self) -> SqliteConnection {
        assert!(self.path.exists(), "there is no {}", self.path.display());
        let mut connection =
            SqliteConnection::establish(self.path.to_str().expect("a path in UTF-8")).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON;").unwrap();
        connection
    }

    /// Runs statements.
    pub fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap();
    }

    /// Runs statements that may be refused.
    ///
    /// # Errors
    /// When they are.
    pub fn try_execute(&self, sql: &str) -> Result<(), String> {
        self.connect().batch_execute(sql).map_err(|error| error.to_string())
    }

    /// Every row of every table, each value as SQL would write it: what is the same before and after was not written.
    pub fn dump(&self) -> Vec<String> {
        let connection = &mut self.connect();
        let tables = texts(
            connection,
            "SELECT name AS json FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        );
        let mut rows = Vec::new();
        for table in tables {
            let values = texts(
                connection,
                &format!(
                    "SELECT group_concat(format('quote(\"%w\")', name), ' || '','' || ') AS json FROM pragma_table_info('{table}')"
                ),
            );
            let mut of_table =
                texts(connection, &format!("SELECT {} AS json FROM \"{table}\"", values.concat()));
            of_table.sort();
            rows.extend(of_table.into_iter().map(|row| format!("{table}: {row}")));
        }
        rows
    }

    /// Runs a statement that changes rows, and tells how many.
    ///
    /// # Errors
    /// When it is refused.
    pub fn change(&self, sql: &str) -> Result<usize, String> {
        sql_query(sql).execute(&mut self.connect()).map_err(|error| error.to_string())
    }

    /// The rows of a query with one column, called `json`, of JSON.
    pub fn query(&self, sql: &str) -> Vec<Value> {
        let rows = texts(&mut self.connect(), sql);
        rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    /// Keeps the file to itself until told to let go: nobody else can write.
    pub fn lock(&self) -> SqliteLock {
        let mut connection = self.connect();
        connection.batch_execute("BEGIN EXCLUSIVE").unwrap();
        SqliteLock { _connection: connection }
    }
}

/// The one column, `json`, of each row.
fn texts(connection: &mut SqliteConnection, query: &str) -> Vec<String> {
    let rows: Vec<Json> = sql_query(query).load(connection).unwrap();
    rows.into_iter().map(|row| row.json).collect()
}

/// Holds a SQLite file until dropped.
pub struct SqliteLock {
    _connection: SqliteConnection,
}

#[async_trait]
impl RawDispenses for SqliteFile {
    async fn document(&self, id: DispenseId) -> Value {
        let query = sql_query("SELECT document AS json FROM device_dispenses WHERE id = ?");
        let row: Json = query.bind::<Text, _>(id.to_string()).get_result(&mut self.connect()).unwrap();
        serde_json::from_str(&row.json).unwrap()
    }

    async fn set_field(&self, id: DispenseId, field: &str, value: Value) {
        let query =
            sql_query("UPDATE device_dispenses SET document = json_set(document, ?, json(?)) WHERE id = ?");
        let query = query.bind::<Text, _>(format!("$.\"{field}\"")).bind::<Text, _>(value.to_string());
        let changed = query.bind::<Text, _>(id.to_string()).execute(&mut self.connect()).unwrap();
        assert_eq!(changed, 1, "there is no dispense {id}");
    }
}

#[async_trait]
impl RawDeviceRequests for SqliteFile {
    async fn make_unreadable(&self, id: DeviceRequestId) {
        self.execute(&format!(
            "PRAGMA ignore_check_constraints = ON; UPDATE device_requests SET status = 'exploded' WHERE id = '{id}'"
        ));
    }
}

#[async_trait]
impl Audit for SqliteFile {
    async fn rows(&self, resource_id: ContractDivisionId) -> Vec<AuditRow> {
        let query = sql_query(
            "SELECT json_object('actor_id', actor_id, 'resource', resource, 'action', action, 'before', json(before), \
             'after', json(after), 'request_id', request_id) AS json FROM audit_log WHERE resource_id = ? ORDER BY rowid",
        );
        let rows: Vec<Json> =
            query.bind::<Text, _>(resource_id.to_string()).load(&mut self.connect()).unwrap();
        rows.iter().map(|row| audit_row(&serde_json::from_str(&row.json).unwrap())).collect()
    }

    async fn break_writing(&self) {
        self.execute(
            "CREATE TRIGGER broken_by_a_test BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'broken by a test'); END",
        );
    }
}

#[async_trait]
impl Delivered for SqliteFile {
    async fn messages(&self) -> Vec<Message> {
        let query = sql_query("SELECT json, request_id, traceparent FROM event_log ORDER BY sequence");
        let rows: Vec<LogRow> = query.load(&mut self.connect()).unwrap();
        let message = |row: LogRow| {
            let json: Value = serde_json::from_str(&row.json).unwrap();
            // A log has no keys: the entity is in the event.
            let key = json.get("entity_id").and_then(Value::as_str).expect("entity_id").to_owned();
            Message { key, json, request_id: row.request_id, traceparent: row.traceparent }
        };
        rows.into_iter().map(message).collect()
    }
}

#[async_trait]
impl RawEventLog for SqliteFile {
    async fn make_unreadable(&self, id: EventId) {
        let set = "UPDATE event_log SET json = json_set(json, '$.properties', json('[]')) WHERE event_id = ";
        assert_eq!(self.change(&format!("{set}'{id}'")), Ok(1), "there is no event {id}");
    }
}
