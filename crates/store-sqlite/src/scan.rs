//! Scans of tables by keyset pagination: each page is a short query by the primary key.

use esoz_kernel::{ScanCursor, ScanPage, StoreError};

/// The id after which a page begins; before the first page the empty text, which precedes every id.
pub(crate) fn id_of(after: Option<ScanCursor>) -> String {
    after.map(|after| String::from_utf8_lossy(after.id()).into_owned()).unwrap_or_default()
}

/// Makes a page of rows in the order of their ids. `has_more` says whether another page may follow.
pub(crate) fn page<Row, T>(
    rows: &[Row],
    has_more: bool,
    id: impl Fn(&Row) -> &str,
    record: impl Fn(&Row) -> Result<T, StoreError>,
) -> ScanPage<T> {
    let next = rows.last().filter(|_| has_more).map(|last| ScanCursor::new(id(last)));
    ScanPage { records: rows.iter().map(record).collect(), next }
}

/// Reads a page of a table whose rows have a key, the `id` unless it is said, and a `record`.
macro_rules! scan_table {
    ($store:ident, $table:ident: $Row:ty, $after:ident, $limit:ident) => {
        scan_table!($store, $table by id: $Row, $after, $limit)
    };
    ($store:ident, $table:ident by $key:ident: $Row:ty, $after:ident, $limit:ident) => {{
        let after = $crate::scan::id_of($after);
        let attempted = concat!("scanning ", stringify!($table));
        let rows: Vec<$Row> = $store
            .read(attempted, move |connection| {
                let later = $table::table.filter($table::$key.gt(after)).order($table::$key);
                Ok(later.limit($limit.into()).load(connection)?)
            })
            .await?;
        let is_full = ::esoz_kernel::is_full_page(rows.len(), $limit);
        Ok($crate::scan::page(&rows, is_full, |row| &row.$key, <$Row>::record))
    }};
}
pub(crate) use scan_table;
