//! What stores, audit and topic hold, read past every adapter.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use bson::{Bson, Document};
use esoz_kernel::Timestamp;
use esoz_kernel::time::{rfc3339_micros, rfc3339_millis};
use esoz_test_servers::raw::{MongoDocuments, PostgresAudit, SqliteFile};
use esoz_testkit::contract::Message;
use esoz_tests::TestStores;
use serde_json::Value;

use crate::state::{Audited, Delivered, Entry, State, StoredDispense, StoredRecord};

/// Reads everything.
///
/// # Errors
/// When something that is there cannot be understood.
pub async fn state(stores: &TestStores) -> Result<State> {
    let mut state = State::default();
    if let Some(documents) = stores.documents() {
        state.dispenses = documents_of(documents).await?;
    }
    if let Some(database) = stores.database() {
        let (records, audit) = tables_of(&POSTGRESQL, &|sql| rows_of(database, sql))?;
        (state.records, state.audit) = (records, audit);
    }
    state.log = Some(event_log(stores)?);
    if let Some(file) = stores.file() {
        state.dispenses = dispenses_of(file)?;
        let (records, audit) = tables_of(&SQLITE, &|sql| Ok(file.query(sql)))?;
        (state.records, state.audit) = (records, audit);
    }
    state.topic = stores.delivered().messages().await.iter().map(delivered).collect();
    Ok(state)
}

/// Reads the ids of the events in the event log.
///
/// # Errors
/// When the database refuses to be read.
pub fn event_log(stores: &TestStores) -> Result<Vec<String>> {
    let rows = match (stores.database(), stores.file()) {
        (Some(database), _) => {
            rows_of(database, "SELECT json_build_object('id', id) AS json FROM event_log")?
        }
        (None, Some(file)) => file.query("SELECT json_object('id', event_id) AS json FROM event_log"),
        (None, None) => Vec::new(),
    };
    rows.iter().map(|row| text(row, "id")).collect()
}

async fn documents_of(documents: &MongoDocuments) -> Result<BTreeMap<String, StoredDispense>> {
    let fields = ["status", "updated_at", "updated_by", "status_history", "esoz_outbox"];
    let all = documents.all(&fields).await;
    all.iter().map(|document| dispense(document).context("a document of MongoDB")).collect()
}

fn dispense(document: &Document) -> Result<(String, StoredDispense)> {
    let entry = |entry: &Bson| {
        let entry = entry.as_document().context("an entry of the history")?;
        let status = entry.get_str("status")?.to_owned();
        Ok(Entry { status, at: time(entry, "inserted_at")?, by: user(entry, "inserted_by")? })
    };
    let outbox = document.get_document("esoz_outbox").ok();
    let waiting = outbox.and_then(|outbox| outbox.get_array("events").ok()).map_or(0, Vec::len);
    let stored = StoredDispense {
        status: document.get_str("status")?.to_owned(),
        updated_at: time(document, "updated_at")?,
        updated_by: user(document, "updated_by")?,
        entries: document.get_array("status_history")?.iter().map(entry).collect::<Result<_>>()?,
        waiting,
    };
    Ok((user(document, "_id")?, stored))
}

fn time(document: &Document, field: &str) -> Result<String> {
    let at = document.get_datetime(field)?.timestamp_millis();
    Ok(rfc3339_millis(Timestamp::from_millisecond(at)?))
}

fn user(document: &Document, field: &str) -> Result<String> {
    match document.get(field) {
        Some(Bson::Binary(id)) => Ok(id.to_uuid()?.to_string()),
        other => anyhow::bail!("{field} is no UUID but {other:?}"),
    }
}

fn dispenses_of(file: &SqliteFile) -> Result<BTreeMap<String, StoredDispense>> {
    let mut waiting: BTreeMap<String, usize> = BTreeMap::new();
    for row in file.query("SELECT json_object('id', entity_id) AS json FROM outbox") {
        *waiting.entry(text(&row, "id")?).or_insert(0) += 1;
    }
    let mut all = BTreeMap::new();
    for document in file.query("SELECT document AS json FROM device_dispenses") {
        let id = text(&document, "id")?;
        let entry = |entry: &Value| {
            let (status, at, by) =
                (text(entry, "status")?, text(entry, "inserted_at")?, text(entry, "inserted_by")?);
            Ok(Entry { status, at, by })
        };
        let history = document["status_history"].as_array().context("a history")?;
        let stored = StoredDispense {
            status: text(&document, "status")?,
            updated_at: text(&document, "updated_at")?,
            updated_by: text(&document, "updated_by")?,
            entries: history.iter().map(entry).collect::<Result<_>>()?,
            waiting: waiting.remove(&id).unwrap_or_default(),
        };
        all.insert(id, stored);
    }
    Ok(all)
}

fn text(value: &Value, field: &str) -> Result<String> {
    Ok(value[field].as_str().with_context(|| format!("{field} in {value}"))?.to_owned())
}

fn rows_of(database: &PostgresAudit, sql: &str) -> Result<Vec<Value>> {
    let all = database.try_execute(&format!("SELECT coalesce(json_agg(json), '[]') FROM ({sql}) AS rows"));
    Ok(serde_json::from_str(&all.map_err(anyhow::Error::msg)?)?)
}

/// How a database makes JSON, and in which order its audit was written.
struct Dialect {
    object: &'static str,
    audit_order: &'static str,
}

const SQLITE: Dialect = Dialect { object: "json_object", audit_order: "rowid" };
const POSTGRESQL: Dialect = Dialect { object: "json_build_object", audit_order: "id" };

type Rows<'a> = dyn Fn(&str) -> Result<Vec<Value>> + 'a;

/// Contract divisions and their audit; both databases give rows as JSON.
fn tables_of(dialect: &Dialect, rows: &Rows<'_>) -> Result<(BTreeMap<String, StoredRecord>, Vec<Audited>)> {
    let Dialect { object, audit_order } = dialect;
    let columns = "'id', id, 'contract_id', contract_id, 'division_id', division_id, 'updated_at', updated_at, \
                   'updated_by', updated_by";
    let stored = rows(&format!("SELECT {object}({columns}) AS json FROM contract_divisions"))?;
    let mut records = BTreeMap::new();
    for row in &stored {
        let updated_at: Timestamp = text(row, "updated_at")?.parse()?;
        let record = StoredRecord {
            pair: (text(row, "contract_id")?, text(row, "division_id")?),
            updated_at: rfc3339_micros(updated_at),
            updated_by: text(row, "updated_by")?,
        };
        records.insert(text(row, "id")?, record);
    }
    let columns = "'resource_id', resource_id, 'action', action, 'actor_id', actor_id, 'request_id', request_id, \
                   'before', before, 'after', after";
    let audit = format!(
        "SELECT {object}({columns}) AS json FROM audit_log WHERE resource = 'contract_divisions' ORDER BY {audit_order}"
    );
    let audit = rows(&audit)?.iter().map(audited).collect::<Result<_>>()?;
    Ok((records, audit))
}

fn audited(row: &Value) -> Result<Audited> {
    // SQLite gives JSON in columns as text.
    let columns = |field: &str| -> BTreeMap<String, String> {
        let value = match &row[field] {
            Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
            other => other.clone(),
        };
        let columns = value.as_object().cloned().unwrap_or_default();
        let text = |(column, value): (String, Value)| value.as_str().map(|text| (column, text.to_owned()));
        columns.into_iter().filter_map(text).collect()
    };
    Ok(Audited {
        record: text(row, "resource_id")?,
        action: text(row, "action")?,
        by: text(row, "actor_id")?,
        request_id: row["request_id"].as_str().map(str::to_owned),
        before: columns("before"),
        after: columns("after"),
    })
}

fn delivered(message: &Message) -> Delivered {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Delivered {
        id: text(&message.json["id"]),
        dispense: message.key.clone(),
        status: text(&message.json["properties"]["status"]["new_value"]),
        at: text(&message.json["event_time"]),
        by: text(&message.json["changed_by"]),
        request_id: message.request_id.clone().unwrap_or_default(),
    }
}
