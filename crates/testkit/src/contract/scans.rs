use esoz_kernel::{ScanCursor, ScanPage, StoreError};

/// All pages of that size; `page` reads one.
pub(super) async fn all_pages<T, F>(
    limit: u32,
    page: impl Fn(Option<ScanCursor>, u32) -> F,
) -> Vec<Result<T, StoreError>>
where
    F: Future<Output = Result<ScanPage<T>, StoreError>>,
{
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let ScanPage { records, next } = page(after, limit).await.unwrap();
        assert!(records.len() <= usize::try_from(limit).unwrap(), "{} of {limit}", records.len());
        all.extend(records);
        after = next;
        if after.is_none() {
            return all;
        }
    }
}
