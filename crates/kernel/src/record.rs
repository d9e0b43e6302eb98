use crate::{Timestamp, UserId};

/// Who wrote a record and when. Stores keep microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamps {
    /// When it was first written.
    pub inserted_at: Timestamp,
    /// By whom.
    pub inserted_by: UserId,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// By whom.
    pub updated_by: UserId,
}

/// What loading one record did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It was not there and is now.
    Created,
    /// It was there and now holds what was loaded.
    Updated,
    /// It was there and stays as it was.
    Kept,
    /// It cannot be stored, and why, in words for whoever loads it (e.g. what it refers to is not there). Nothing changed.
    Refused(String),
}
