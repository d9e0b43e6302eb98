//! The rows of one store brought into another by the database's own way for many: what an import is held against.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bson::{RawDocumentBuf, doc};
use bytes::Bytes;
use futures_util::{SinkExt as _, TryStreamExt as _};
use mongodb::options::{Acknowledgment, CollectionOptions, WriteConcern};
use mongodb::{Client, Collection};
use rusqlite::types::Value;
use rusqlite::{TransactionBehavior, params_from_iter};

use crate::drive::{COLLECTION, open_postgres, open_sqlite};

/// How many rows are in memory at once.
const CHUNK: usize = 10_000;

/// Rows that an import brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Device dispenses.
    Dispenses,
    /// Contracts, divisions and contract divisions, and the legal entity that has them.
    Contracts,
}

impl Rows {
    /// The tables, in an order in which none refers to a later one.
    const fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Dispenses => &["device_dispenses"],
            Self::Contracts => &["legal_entities", "contracts", "divisions", "contract_divisions"],
        }
    }

    /// An order of SQLite's rows that is the file's, or as scattered: an import stores the dispenses of a batch in the order of their ids, and
    /// what it is held against must not gain by that.
    const fn order(self) -> &'static str {
        match self {
            Self::Dispenses => "substr(id, -12)",
            Self::Contracts => "rowid",
        }
    }
}

/// One transaction, one prepared statement for a table, with the triggers and the settings of the service. What it takes to read the rows
/// does not count.
pub(super) fn sqlite(from: &Path, into: &Path, rows: Rows) -> Result<Duration> {
    let (from, mut into) = (open_sqlite(from)?, open_sqlite(into)?);
    let mut took = Timer::default();
    let transaction = into.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for table in rows.tables() {
        // Computed columns are hidden from a table's information, and follow from the others.
        let columns: String =
            from.query_row("SELECT group_concat(name, ', ') FROM pragma_table_info(?1)", [table], |row| {
                row.get(0)
            })?;
        let count = columns.split(", ").count();
        let places = vec!["?"; count].join(", ");
        let mut insert =
            transaction.prepare(&format!("INSERT INTO {table} ({columns}) VALUES ({places})"))?;
        let rowids: Vec<i64> = from
            .prepare(&format!("SELECT rowid FROM {table} ORDER BY {}", rows.order()))?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut select = from.prepare(&format!("SELECT {columns} FROM {table} WHERE rowid = ?1"))?;
        for some in rowids.chunks(CHUNK) {
            let chunk: Vec<Vec<Value>> = some
                .iter()
                .map(|rowid| {
                    select.query_row([rowid], |row| (0..count).map(|column| row.get(column)).collect())
                })
                .collect::<Result<_, _>>()?;
            took.add(|| chunk.iter().try_for_each(|row| insert.execute(params_from_iter(row)).map(drop)))?;
        }
    }
    took.add(|| transaction.commit())?;
    Ok(took.0)
}

/// `COPY` of each table, with its triggers and keys.
pub(super) async fn postgres(from: &str, into: &str, rows: Rows) -> Result<Duration> {
    let (from, into) = (open_postgres(from).await?, open_postgres(into).await?);
    let mut took = Duration::ZERO;
    for table in rows.tables() {
        let copy = format!("COPY {table} TO STDOUT (FORMAT binary)");
        let copied: Vec<Bytes> = from.copy_out(&copy).await?.try_collect().await?;
        let began = Instant::now();
        let sink = into.copy_in(&format!("COPY {table} FROM STDIN (FORMAT binary)")).await?;
        let mut sink = std::pin::pin!(sink);
        for bytes in copied {
            sink.send(bytes).await?;
        }
        sink.finish().await.with_context(|| format!("copying {table}"))?;
        took += began.elapsed();
    }
    Ok(took)
}

/// `insertMany` of as many as the driver sends at once, acknowledged as the service's writes are.
pub(super) async fn mongodb(uri: &str, from: &str, into: &str) -> Result<Duration> {
    let client = Client::with_uri_str(uri).await?;
    let acknowledged = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
    let options = CollectionOptions::builder().write_concern(acknowledged).build();
    let into: Collection<RawDocumentBuf> = client.database(into).collection_with_options(COLLECTION, options);
    let from: Collection<RawDocumentBuf> = client.database(from).collection(COLLECTION);
    let mut documents = from.find(doc! {}).await?;
    let mut took = Duration::ZERO;
    loop {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK
            && let Some(document) = documents.try_next().await?
        {
            chunk.push(document);
        }
        if chunk.is_empty() {
            return Ok(took);
        }
        // As scattered as in the file, for the reason that `Rows::order` gives.
        chunk.sort_by_key(|document| -> Option<[u8; 6]> {
            document.get_binary("_id").ok()?.bytes.last_chunk().copied()
        });
        let began = Instant::now();
        into.insert_many(&chunk).ordered(false).await?;
        took += began.elapsed();
    }
}

/// Adds up how long some steps take.
#[derive(Default)]
struct Timer(Duration);

impl Timer {
    fn add<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = step();
        self.0 += began.elapsed();
        done
    }
}
