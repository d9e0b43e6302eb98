use crate::StoreError;

/// A page of a list that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    number: u32,
    size: u32,
}

impl PageRequest {
    /// The last page that can be asked for.
    pub const MAX_NUMBER: u32 = 1_000_000;
    /// How many entries a page has unless the request says otherwise.
    pub const DEFAULT_SIZE: u32 = 50;

    /// The first page, of the usual size.
    pub const FIRST: Self = Self { number: 1, size: Self::DEFAULT_SIZE };

    /// The page with that number, from 1 to [`MAX_NUMBER`](Self::MAX_NUMBER), in pages of that size, at least 1; `None` outside of these.
    pub const fn new(number: u32, size: u32) -> Option<Self> {
        if number >= 1 && number <= Self::MAX_NUMBER && size >= 1 {
            Some(Self { number, size })
        } else {
            None
        }
    }

    /// Its number; the first is 1.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// How many entries it has at most.
    pub const fn size(self) -> u32 {
        self.size
    }

    /// How many entries are before it.
    pub fn offset(self) -> u64 {
        u64::from(self.number - 1) * u64::from(self.size)
    }

    /// Returns the total if this page, with that many entries, is the last one.
    pub fn total_if_last(self, entries: usize) -> Option<u64> {
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        let is_last = entries < u64::from(self.size) && (entries > 0 || self.number == 1);
        is_last.then(|| self.offset().saturating_add(entries))
    }

    /// How many pages that many entries make: at least one.
    pub fn total_pages(self, total_entries: u64) -> u64 {
        total_entries.div_ceil(u64::from(self.size)).max(1)
    }
}

/// A page of a list. It is empty after the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its entries, in the order of the list.
    pub items: Vec<T>,
    /// How many entries the whole list has.
    pub total_entries: u64,
}

impl<T> Page<T> {
    /// The page of a list without entries.
    pub const fn empty() -> Self {
        Self { items: Vec::new(), total_entries: 0 }
    }

    /// A page of a list that is held in memory, in its order.
    pub fn of(list: Vec<T>, page: PageRequest) -> Self {
        let total_entries = u64::try_from(list.len()).unwrap_or(u64::MAX);
        let [offset, size] =
            [page.offset(), page.size().into()].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        Self { items: list.into_iter().skip(offset).take(size).collect(), total_entries }
    }
}

/// A page of a list without the entries that cannot be read.
#[derive(Debug)]
pub struct Listed<T> {
    /// The entries that can be read. `total_entries` counts the others as well.
    pub page: Page<T>,
    /// Why the others are left out. For the operator: a caller is not told.
    pub unreadable: Vec<StoreError>,
}

impl<T> Listed<T> {
    /// The page of a list without entries.
    pub const fn empty() -> Self {
        Self { page: Page::empty(), unreadable: Vec::new() }
    }
}

impl<T> From<Page<Result<T, StoreError>>> for Listed<T> {
    /// Splits off the entries that are errors.
    fn from(Page { items, total_entries }: Page<Result<T, StoreError>>) -> Self {
        let (mut readable, mut unreadable) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            match item {
                Ok(item) => readable.push(item),
                Err(error) => unreadable.push(error),
            }
        }
        Self { page: Page { items: readable, total_entries }, unreadable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_within_its_bounds_or_there_is_none() {
        for (number, size) in [(0, 50), (1, 0), (PageRequest::MAX_NUMBER + 1, 50)] {
            assert_eq!(PageRequest::new(number, size), None);
        }
        let last = PageRequest::new(PageRequest::MAX_NUMBER, u32::MAX).unwrap();
        assert_eq!(last.offset(), 999_999 * u64::from(u32::MAX));
    }

    #[test]
    fn a_page_of_a_list_in_memory_is_a_part_of_it() {
        for (number, items) in [(1, vec![0, 1, 2]), (2, vec![3, 4]), (3, vec![])] {
            let page = Page::of((0..5).collect(), PageRequest::new(number, 3).unwrap());
            assert_eq!(page, Page { items, total_entries: 5 });
        }
    }

    #[test]
    fn errors_are_split_off_in_their_order_and_stay_counted() {
        let error = |id| StoreError::corrupt("table", id, "column");
        let items = vec![Ok(1), Err(error(1)), Ok(2), Err(error(2))];
        let Listed { page, unreadable } = Page { items, total_entries: 9 }.into();
        assert_eq!(page, Page { items: vec![1, 2], total_entries: 9 });
        assert_eq!(
            unreadable.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [1, 2].map(|id| error(id).to_string())
        );
    }

    #[test]
    fn only_the_last_page_tells_how_long_the_list_is() {
        for (number, entries, total) in [
            (1, 0, Some(0)),
            (1, 49, Some(49)),
            (3, 1, Some(101)),
            (1, 50, None),
            (3, 50, None),
            (2, 0, None),
        ] {
            let page = PageRequest::new(number, 50).unwrap();
            assert_eq!(page.total_if_last(entries), total, "page {number} with {entries}");
        }
    }

    #[test]
    fn a_list_has_at_least_one_page() {
        let page = PageRequest::new(1, 50).unwrap();
        for (entries, pages) in [(0, 1), (1, 1), (50, 1), (51, 2), (u64::MAX, u64::MAX / 50 + 1)] {
            assert_eq!(page.total_pages(entries), pages, "{entries}");
        }
    }
}
