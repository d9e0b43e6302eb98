//! Loads records: each is inserted, or replaces the stored record with its id. One statement takes many.

use std::collections::{HashMap, HashSet};
use std::iter;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Bool, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use esoz_kernel::{Put, Stamps, StoreError};
use uuid::Uuid;

use crate::PostgresStore;
use crate::columns::{Column, Values, each};
use crate::connection::Connection;
use crate::error::{During as _, Failure};
use crate::key::Key;
use crate::time::to_pg;

/// The most records in one statement, whose locks are held until it ends: an import must not block other writes for long.
const MAX_RECORDS_PER_STATEMENT: usize = 500;

/// How records of one kind are stored.
pub(crate) struct Table<Record: 'static, Id: 'static = Uuid> {
    pub(crate) name: &'static str,
    /// What a record is called in errors.
    pub(crate) record: &'static str,
    pub(crate) id: fn(&Record) -> Id,
    pub(crate) stamps: fn(&Record) -> Stamps,
    /// All other columns.
    pub(crate) columns: fn(&[Record]) -> Vec<Column>,
    /// Whether a stored record that differs is updated; who inserted it, and when, stays.
    pub(crate) updates: bool,
    /// Whether changes are audited by a trigger, without which nothing is stored.
    pub(crate) is_audited: bool,
}

impl<Record, Id: Key> Table<Record, Id> {
    fn stamps_of<T>(&self, records: &[Record], part: fn(Stamps) -> T) -> Vec<T> {
        each(records, |record| part((self.stamps)(record)))
    }

    fn upsert(&self, records: &[Record]) -> Upsert {
        let mut columns = (self.columns)(records);
        columns.extend([
            ("updated_at", Values::Time(self.stamps_of(records, |stamps| to_pg(stamps.updated_at)))),
            ("updated_by", Values::Id(self.stamps_of(records, |stamps| stamps.updated_by.uuid()))),
            ("inserted_at", Values::Time(self.stamps_of(records, |stamps| to_pg(stamps.inserted_at)))),
            ("inserted_by", Values::Id(self.stamps_of(records, |stamps| stamps.inserted_by.uuid()))),
        ]);
        let ids = each(records, self.id);
        Upsert {
            table: self.name,
            key: Id::COLUMN,
            ids: each(&ids, Id::text),
            keys: Id::values(&ids),
            columns,
            updates: self.updates,
            is_audited: self.is_audited,
        }
    }
}

/// Inserts records, no two of which have the same key, or updates those that are stored. Returns the key of each that was written, as text,
/// and whether it was new.
struct Upsert {
    table: &'static str,
    key: &'static str,
    /// The keys as PostgreSQL writes them.
    ids: Vec<String>,
    keys: Values,
    columns: Vec<Column>,
    updates: bool,
    is_audited: bool,
}

impl Upsert {
    /// The names of the columns that an update sets, with a prefix.
    fn updated(&self, prefix: &str) -> String {
        let updated = self.columns.iter().filter(|(name, _)| !name.starts_with("inserted_"));
        updated.map(|(name, _)| format!("{prefix}{name}")).collect::<Vec<_>>().join(", ")
    }
}

impl QueryFragment<Pg> for Upsert {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let columns =
            || iter::once((self.key, &self.keys)).chain(self.columns.iter().map(|(name, it)| (*name, it)));
        let names = columns().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        let read = |(name, values): (&str, &Values)| match values {
            Values::Parsed(sql_type, _) => format!("{name}::{sql_type}"),
            _ => name.to_owned(),
        };
        let selected = columns().map(read).collect::<Vec<_>>().join(", ");
        out.push_sql(&format!(
            "INSERT INTO {} AS stored ({names}) SELECT {selected} FROM unnest(",
            self.table
        ));
        for (place, (_, values)) in columns().enumerate() {
            out.push_sql(if place == 0 { "" } else { ", " });
            match values {
                Values::Id(ids) => out.push_bind_param::<Array<SqlUuid>, _>(ids)?,
                Values::Text(texts) => out.push_bind_param::<Array<Text>, _>(texts)?,
                Values::Bool(bools) => out.push_bind_param::<Array<Nullable<Bool>>, _>(bools)?,
                Values::Date(dates) => out.push_bind_param::<Array<Nullable<Date>>, _>(dates)?,
                Values::Time(times) => out.push_bind_param::<Array<Timestamptz>, _>(times)?,
                Values::Parsed(_, texts) => out.push_bind_param::<Array<Nullable<Text>>, _>(texts)?,
            }
        }
        // Two imports at once lock rows in the same order.
        let (key, audited) = (self.key, if self.is_audited { "WHERE esoz_require_audit()" } else { "" });
        out.push_sql(&format!(") AS given ({names}) {audited} ORDER BY {key} ON CONFLICT ({key}) DO "));
        if self.updates {
            let (columns, new, old) = (self.updated(""), self.updated("excluded."), self.updated("stored."));
            out.push_sql(&format!("UPDATE SET ({columns}) = ({new}) WHERE ({old}) IS DISTINCT FROM ({new})"));
        } else {
            out.push_sql("NOTHING");
        }
        out.push_sql(&format!(" RETURNING stored.{key}::text, stored.xmax = 0"));
        Ok(())
    }
}

impl Query for Upsert {
    type SqlType = (Text, Bool);
}

/// The text depends on the table, so that the type alone does not identify the prepared statement.
impl QueryId for Upsert {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl PostgresStore {
    /// Loads records with the outcomes that they have one after the other. Each statement is a transaction: no lock is held for longer than one
    /// takes, and a load can be interrupted and repeated. A refused record takes no other with it.
    pub(crate) async fn put_all<Record: Sync, Id: Key + Send + Sync>(
        &self,
        table: &Table<Record, Id>,
        records: &[Record],
    ) -> Result<Vec<Put>, StoreError> {
        let mut answers = Vec::with_capacity(records.len());
        let connection = self.connections.connection().await;
        let mut connection = connection.during(format_args!("storing records of {}", table.record))?;
        // The statements to come; the last is the next.
        let mut statements = split_by_id(records, table.id);
        statements.reverse();
        while let Some(statement) = statements.pop() {
            match connection.upsert(table.upsert(statement)).await {
                Ok(puts) => answers.extend(puts),
                // Nothing was written, because of some of the records or a deadlock. With halves in its place only those are refused in the end.
                Err(failure) if statement.len() > 1 && (failure.is_data_error() || failure.is_conflict()) => {
                    let (first, second) = statement.split_at(statement.len() / 2);
                    statements.extend([second, first]);
                }
                Err(failure) if failure.is_data_error() => answers.push(Put::Refused(reason(&failure))),
                Err(failure) => {
                    let first =
                        statement.first().map(|record| (table.id)(record).shown()).unwrap_or_default();
                    let attempted = match statement.len() {
                        1 => format!("storing {} {first}", table.record),
                        several => format!("storing {several} records from {} {first} on", table.record),
                    };
                    return Err(failure.during(attempted));
                }
            }
        }
        Ok(answers)
    }
}

impl Connection {
    /// Runs the statement; returns one outcome for each of its records.
    async fn upsert(&mut self, upsert: Upsert) -> Result<Vec<Put>, Failure> {
        let ids = upsert.ids.clone();
        let written: HashMap<String, bool> = self.rows(upsert).await?.into_iter().collect();
        let put = |id: String| match written.get(&id) {
            Some(true) => Put::Created,
            Some(false) => Put::Updated,
            None => Put::Kept,
        };
        Ok(ids.into_iter().map(put).collect())
    }
}

/// Splits records into runs that can be stored by one statement: in none of them an id comes twice.
fn split_by_id<Record, Id: Key>(records: &[Record], id: fn(&Record) -> Id) -> Vec<&[Record]> {
    let (mut runs, mut rest) = (Vec::new(), records);
    while !rest.is_empty() {
        let mut ids = HashSet::new();
        let most = rest.iter().take(MAX_RECORDS_PER_STATEMENT);
        let (run, after) = rest.split_at(most.take_while(|record| ids.insert(id(record))).count());
        runs.push(run);
        rest = after;
    }
    runs
}

/// Why the database refused a record, for the operator who loads it.
fn reason(failure: &Failure) -> String {
    String::from(match failure.violated_constraint() {
        Some("divisions_legal_entity_id_fkey" | "employees_legal_entity_id_fkey") => {
            "its legal entity is not there"
        }
        Some("contracts_contractor_legal_entity_id_fkey") => "its contractor's legal entity is not there",
        Some("contract_divisions_contract_id_fkey") => "its contract is not there",
        Some("contract_divisions_division_id_fkey") => "its division is not there",
        Some("party_users_pkey") => "one of its users belongs to another party",
        Some("employees_party_id_fkey") => "its party is not there",
        Some("program_devices_program_id_fkey") => "its medical program is not there",
        Some("program_devices_device_definition_id_fkey") => "its device definition is not there",
        Some("contract_divisions_active_pair") => "another active record has its contract and division",
        Some(constraint) => return format!("it violates the constraint {constraint}"),
        // The server's text names the kind of value, e.g. a time out of range or a zero byte in a text.
        None => return format!("a value of it cannot be stored: {failure}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_once_in_a_statement_and_all_records_stay_in_order() {
        let split = |ids: &[u128]| -> Vec<Vec<u128>> {
            let runs = split_by_id(ids, |id| Uuid::from_u128(*id));
            runs.into_iter().map(<[u128]>::to_vec).collect()
        };
        assert!(split(&[]).is_empty());
        assert_eq!(split(&[1, 2, 1, 3, 3, 2]), [vec![1, 2], vec![1, 3], vec![3, 2]]);
        let many: Vec<u128> = (0..1_001).collect();
        assert_eq!(split(&many).iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 1]);
        assert_eq!(split(&many).concat(), many);
    }
}
