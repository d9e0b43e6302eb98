use std::collections::BTreeMap;

use esoz_kernel::Put;

use crate::RecordKind;
use crate::outcome::LineResult;

/// Counts of the records of one kind by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records that were created.
    pub created: u64,
    /// Records that existed and were updated.
    pub updated: u64,
    /// Records that existed and were left unchanged.
    pub kept: u64,
    /// Records in which a dry run found no fault.
    pub valid: u64,
}

impl Counts {
    /// Counts the outcome of one record; returns the reason if it was refused.
    pub(crate) fn count(&mut self, result: LineResult) -> Option<String> {
        match result {
            LineResult::Put(Put::Created) => self.created += 1,
            LineResult::Put(Put::Updated) => self.updated += 1,
            LineResult::Put(Put::Kept) => self.kept += 1,
            LineResult::Put(Put::Refused(reason)) => return Some(reason),
            LineResult::Valid => self.valid += 1,
        }
        None
    }
}

/// Counts by kind, of the kinds that occurred.
pub type Totals = BTreeMap<RecordKind, Counts>;

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
    /// Lines imported or found bad.
    pub lines: u64,
    /// The bytes of these lines.
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

impl Report {
    /// Counts bad lines, and lists the first ones.
    pub(crate) fn add_bad_lines(&mut self, bad_lines: Vec<BadLine>, max_listed: usize) {
        let count = u64::try_from(bad_lines.len()).unwrap_or(u64::MAX);
        self.bad_lines = self.bad_lines.saturating_add(count);
        let room = max_listed.saturating_sub(self.listed_bad_lines.len());
        self.listed_bad_lines.extend(bad_lines.into_iter().take(room));
    }
}
