use std::collections::BTreeMap;

use esoz_kernel::Put;

use crate::RecordKind;

/// Counts of the records of one kind by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records that were created.
    pub created: u64,
    /// Records that existed and were updated.
    pub updated: u64,
    /// Records that existed and were left unchanged.
    pub kept: u64,
}

/// Counts of all kinds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals(BTreeMap<RecordKind, Counts>);

impl Totals {
    /// Returns the counts of a kind.
    pub fn of(&self, kind: RecordKind) -> Counts {
        self.0.get(&kind).copied().unwrap_or_default()
    }

    /// Iterates over the kinds that occurred, in the order of [`RecordKind`].
    pub fn iter(&self) -> impl Iterator<Item = (RecordKind, Counts)> {
        self.0.iter().map(|(kind, counts)| (*kind, *counts))
    }

    /// Counts the outcome of one record; returns the reason if it was refused.
    pub(crate) fn count(&mut self, kind: RecordKind, put: Put) -> Option<String> {
        let counts = self.0.entry(kind).or_default();
        match put {
            Put::Created => counts.created += 1,
            Put::Updated => counts.updated += 1,
            Put::Kept => counts.kept += 1,
            Put::Refused(reason) => return Some(reason),
        }
        None
    }
}

/// A line that was not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The line number, counted from 1.
    pub line: u64,
    /// The reason. Contains nothing of the line, except what a store says when it refuses a record.
    pub reason: String,
}

/// The progress of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Counts so far.
    pub totals: &'a Totals,
    /// Bad lines since the last call, in order.
    pub bad_lines: &'a [BadLine],
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Lines read, blank ones included.
    pub lines: u64,
    /// Counts by kind.
    pub totals: Totals,
    /// The number of bad lines.
    pub bad_lines: u64,
    /// The first bad lines; at most [`crate::ImportLimits::max_listed_bad_lines`].
    pub listed_bad_lines: Vec<BadLine>,
}
