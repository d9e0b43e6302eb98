use std::collections::BTreeMap;

use esoz_kernel::Put;

use crate::RecordKind;

/// What became of the records of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Were not there and are now.
    pub created: u64,
    /// Were there with other content and now have this.
    pub updated: u64,
    /// Were there and stay as they were.
    pub kept: u64,
}

/// What became of the records, per kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals(BTreeMap<RecordKind, Counts>);

impl Totals {
    /// The counts of one kind.
    pub fn of(&self, kind: RecordKind) -> Counts {
        self.0.get(&kind).copied().unwrap_or_default()
    }

    /// The kinds of which there were any, in the order of [`RecordKind`].
    pub fn iter(&self) -> impl Iterator<Item = (RecordKind, Counts)> {
        self.0.iter().map(|(kind, counts)| (*kind, *counts))
    }

    /// Counts one answer of a store; gives back the reason if it is a refusal.
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

/// A line that was not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Which one, counted from 1.
    pub line: u64,
    /// Why, in words for whoever loads it. Repeats nothing of the line but what the store itself says when it refuses a record.
    pub reason: String,
}

/// How far loading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What became of the records so far.
    pub totals: &'a Totals,
    /// Bad lines since the last report of progress, in the order of the lines: whoever keeps them has them all at the end.
    pub bad_lines: &'a [BadLine],
}

/// What came of a whole import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Lines read, blank ones included.
    pub lines: u64,
    /// What became of the records.
    pub totals: Totals,
    /// How many lines were not loaded.
    pub bad_lines: u64,
    /// The first of these; at most [`crate::ImportLimits::max_listed_bad_lines`].
    pub listed_bad_lines: Vec<BadLine>,
}
