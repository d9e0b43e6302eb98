use crate::{Timestamp, UserId};

/// The audit fields of a record: who created and last changed it, and when. Stores keep microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamps {
    /// When it was created.
    pub inserted_at: Timestamp,
    /// Who created it.
    pub inserted_by: UserId,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who last changed it.
    pub updated_by: UserId,
}

/// The outcome of importing one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It was created.
    Created,
    /// It existed and now holds what was imported.
    Updated,
    /// It existed and was left as it was.
    Kept,
    /// It cannot be stored, with the reason for the operator, e.g. a missing reference. Nothing changed.
    Refused(String),
}
