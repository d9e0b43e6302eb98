/// Bounds of the memory that an import uses: two batches at most are in memory, one being stored and one being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportLimits {
    /// The maximum length of a line in bytes; a longer one is a bad line.
    pub max_line_bytes: usize,
    /// The maximum number of records in a batch, and of bad lines.
    pub max_batch_records: usize,
    /// The size of a batch in bytes of its lines; its last line may exceed it.
    pub max_batch_bytes: usize,
    /// The maximum number of bad lines in the report. All of them are counted and passed to the progress callback.
    pub max_listed_bad_lines: usize,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self {
            max_line_bytes: 1 << 20,
            max_batch_records: 5_000,
            max_batch_bytes: 12 << 20,
            max_listed_bad_lines: 1_000,
        }
    }
}
