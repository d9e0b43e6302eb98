//! Values of many records, column by column.

use diesel::data_types::{PgDate, PgTimestamp};
use uuid::Uuid;

/// The values of a column, one for each record.
pub(crate) enum Values {
    Id(Vec<Uuid>),
    Text(Vec<String>),
    Bool(Vec<Option<bool>>),
    Date(Vec<Option<PgDate>>),
    Time(Vec<PgTimestamp>),
    /// Texts, and the type as which PostgreSQL reads each: the driver has no type for what a list holds then, or none that is as exact.
    Parsed(&'static str, Vec<Option<String>>),
}

/// A value of each record.
pub(crate) fn each<Record, T>(records: &[Record], value: impl Fn(&Record) -> T) -> Vec<T> {
    records.iter().map(value).collect()
}

pub(crate) type Column = (&'static str, Values);
