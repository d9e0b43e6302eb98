//! Primary keys of records.

use std::hash::Hash;

use esoz_kernel::Pseudonym;
use uuid::Uuid;

use crate::columns::{Values, each};

/// The key of a record.
pub(crate) trait Key: Clone + Eq + Hash {
    /// The column of the primary key.
    const COLUMN: &'static str;

    /// The keys as values of the column.
    fn values(keys: &[Self]) -> Values;

    /// The key as PostgreSQL writes it.
    fn text(&self) -> String;

    /// The key as it is shown in errors.
    fn shown(&self) -> String {
        self.text()
    }
}

impl Key for Uuid {
    const COLUMN: &'static str = "id";

    fn values(keys: &[Self]) -> Values {
        Values::Id(keys.to_vec())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Key for Pseudonym {
    const COLUMN: &'static str = "subject";

    fn values(keys: &[Self]) -> Values {
        Values::Text(each(keys, Self::text))
    }

    fn text(&self) -> String {
        self.expose().to_owned()
    }

    fn shown(&self) -> String {
        HIDDEN.to_owned()
    }
}

/// Stands for a pseudonym, which no error shows.
pub(crate) const HIDDEN: &str = "(its pseudonym is not shown)";
