//! Loads records: each is inserted, or replaces the stored record with its id.

use diesel::data_types::{PgDate, PgTimestamp};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::{QueryResult, sql_types};
use esoz_kernel::{Put, Stamps, StoreError};
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::{During as _, Failure};
use crate::statement::at_most_one;
use crate::time::to_pg;

/// The value of a column.
pub(crate) enum Value {
    Id(Uuid),
    Text(String),
    Bool(Option<bool>),
    Date(PgDate),
    Time(PgTimestamp),
}

type Column = (&'static str, Value);

/// Inserts a record. Returns whether it was new, and no row if the stored record with its id stays as it is.
pub(crate) struct Upsert {
    table: &'static str,
    id: Uuid,
    columns: Vec<Column>,
    /// Whether a stored record that differs is updated.
    updates: bool,
}

impl Upsert {
    /// Inserts the record, or updates a stored one that differs; who inserted it, and when, stays.
    pub(crate) fn new(table: &'static str, id: Uuid, stamps: &Stamps, mut columns: Vec<Column>) -> Self {
        columns.extend([
            ("updated_at", Value::Time(to_pg(stamps.updated_at))),
            ("updated_by", Value::Id(stamps.updated_by.uuid())),
            ("inserted_at", Value::Time(to_pg(stamps.inserted_at))),
            ("inserted_by", Value::Id(stamps.inserted_by.uuid())),
        ]);
        Self { table, id, columns, updates: true }
    }

    /// Never updates a stored record.
    pub(crate) fn insert_only(self) -> Self {
        Self { updates: false, ..self }
    }

    /// The names of the columns that an update sets, with a prefix.
    fn updated(&self, prefix: &str) -> String {
        let updated = self.columns.iter().filter(|(name, _)| !name.starts_with("inserted_"));
        updated.map(|(name, _)| format!("{prefix}{name}")).collect::<Vec<_>>().join(", ")
    }
}

impl QueryFragment<Pg> for Upsert {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(&format!("INSERT INTO {} AS stored (id", self.table));
        for (name, _) in &self.columns {
            out.push_sql(", ");
            out.push_sql(name);
        }
        out.push_sql(") VALUES (");
        out.push_bind_param::<sql_types::Uuid, _>(&self.id)?;
        for (_, value) in &self.columns {
            out.push_sql(", ");
            match value {
                Value::Id(id) => out.push_bind_param::<sql_types::Uuid, _>(id)?,
                Value::Text(text) => out.push_bind_param::<sql_types::Text, _>(text)?,
                Value::Bool(bool) => out.push_bind_param::<sql_types::Nullable<sql_types::Bool>, _>(bool)?,
                Value::Date(date) => out.push_bind_param::<sql_types::Date, _>(date)?,
                Value::Time(time) => out.push_bind_param::<sql_types::Timestamptz, _>(time)?,
            }
        }
        out.push_sql(") ON CONFLICT (id) DO ");
        if self.updates {
            let (columns, new, old) = (self.updated(""), self.updated("excluded."), self.updated("stored."));
            out.push_sql(&format!("UPDATE SET ({columns}) = ({new}) WHERE ({old}) IS DISTINCT FROM ({new})"));
        } else {
            out.push_sql("NOTHING");
        }
        out.push_sql(" RETURNING xmax = 0");
        Ok(())
    }
}

impl Query for Upsert {
    type SqlType = sql_types::Bool;
}

/// The text depends on the table, so that the type alone does not identify the prepared statement.
impl QueryId for Upsert {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl PostgresStore {
    /// Loads records one by one. Each is a transaction: a refused record takes no other with it, no lock is held for longer than one record
    /// takes, and a load can be interrupted and repeated.
    pub(crate) async fn put_all<Record>(
        &self,
        records: &[Record],
        what: &str,
        upsert: impl Fn(&Record) -> Upsert,
    ) -> Result<Vec<Put>, StoreError> {
        let mut answers = Vec::with_capacity(records.len());
        let mut connection =
            self.connections.connection().await.during(format_args!("storing records of {what}"))?;
        for record in records {
            let upsert = upsert(record);
            let id = upsert.id;
            answers.push(match connection.rows(upsert).await {
                Ok(rows) => match at_most_one(rows) {
                    Some(true) => Put::Created,
                    Some(false) => Put::Updated,
                    None => Put::Kept,
                },
                Err(failure) if failure.is_data_error() => Put::Refused(reason(&failure)),
                Err(failure) => return Err(failure.during(format_args!("storing {what} {id}"))),
            });
        }
        Ok(answers)
    }
}

/// Why the database refused a record, for the operator who loads it.
fn reason(failure: &Failure) -> String {
    String::from(match failure.violated_constraint() {
        Some("divisions_legal_entity_id_fkey") => "its legal entity is not there",
        Some("contracts_contractor_legal_entity_id_fkey") => "its contractor's legal entity is not there",
        Some("contract_divisions_contract_id_fkey") => "its contract is not there",
        Some("contract_divisions_division_id_fkey") => "its division is not there",
        Some("contract_divisions_active_pair") => "another active record has its contract and division",
        Some(constraint) => return format!("it violates the constraint {constraint}"),
        // The server's text names the kind of value, e.g. a time out of range or a zero byte in a text.
        None => return format!("a value of it cannot be stored: {failure}"),
    })
}
