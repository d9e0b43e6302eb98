use esoz_kernel::Put;

use crate::RecordKind;

/// The outcome of storing, or checking, the record of a line.
pub(crate) struct Outcome {
    pub(crate) line: u64,
    pub(crate) kind: RecordKind,
    pub(crate) result: LineResult,
}

/// What became of the record of a line.
pub(crate) enum LineResult {
    /// It was offered to its store, or refused before that.
    Put(Put),
    /// A dry run found no fault.
    Valid,
}
