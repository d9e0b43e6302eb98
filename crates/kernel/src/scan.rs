use crate::StoreError;

/// A page of a scan: all records of a table or collection in the ascending order of their ids, by keyset pagination.
///
/// Each page is a query of its own, so a scan holds neither a snapshot nor a lock. A record that exists during the whole scan is read exactly
/// once, as it was when its page was read.
#[derive(Debug)]
pub struct ScanPage<T> {
    /// The records. One that cannot be read is an error of kind corrupt, which names table or collection, id and field.
    pub records: Vec<Result<T, StoreError>>,
    /// Where the next page begins; `None`: this was the last one.
    pub next: Option<ScanCursor>,
}

/// Whether another page may follow one with that many records.
pub fn is_full_page(records: usize, limit: u32) -> bool {
    u32::try_from(records).is_ok_and(|records| records >= limit)
}

/// The position in a scan, after a record. Only the store that made it can read it.
#[derive(Clone, PartialEq, Eq)]
pub struct ScanCursor(Vec<u8>);

crate::opaque_debug!(ScanCursor);

impl ScanCursor {
    /// Creates a cursor from the id of the last record, in the form in which the store compares ids.
    pub fn new(id: impl Into<Vec<u8>>) -> Self {
        Self(id.into())
    }

    /// Returns that id.
    pub fn id(&self) -> &[u8] {
        &self.0
    }
}
