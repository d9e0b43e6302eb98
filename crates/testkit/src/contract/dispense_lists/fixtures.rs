//! Dispenses of one legal entity and patient, and what a list of them is held against.

use esoz_device_dispense::{Dispense, Filter, Pseudonym};
use esoz_kernel::{DispenseId, LegalEntityId, PageRequest};

use crate::builders::{DispenseBuilder, dispense};
use crate::contract::DispenseStore;

/// A legal entity's dispenses of a patient, and their filter.
pub(super) struct Fixture {
    pub(super) owner: LegalEntityId,
    pub(super) subject: Pseudonym,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let any = dispense().build();
        Self { owner: any.owner, subject: any.subject }
    }

    pub(super) fn another(&self) -> DispenseBuilder {
        dispense().owner(self.owner).subject(self.subject.clone())
    }

    /// All of the legal entity.
    pub(super) fn owned(&self) -> Filter {
        Filter { owner: Some(self.owner), ..Filter::default() }
    }

    /// All about the patient.
    pub(super) fn about(&self) -> Filter {
        Filter { subject: Some(self.subject.clone()), ..Filter::default() }
    }
}

/// The ids of a page, each entry readable, and how long the list is.
pub(super) async fn list(
    store: &DispenseStore,
    filter: &Filter,
    number: u32,
    size: u32,
) -> (Vec<DispenseId>, u64) {
    let page = PageRequest::new(number, size).unwrap();
    let page = store.dispenses.list(filter, page).await.unwrap();
    (page.items.into_iter().map(|item| item.unwrap().id).collect(), page.total_entries)
}

/// Holds the whole list against these, in any order.
pub(super) async fn assert_lists(store: &DispenseStore, filter: &Filter, expected: &[&Dispense]) {
    let (mut ids, total) = list(store, filter, 1, 50).await;
    ids.sort_unstable();
    let mut expected: Vec<DispenseId> = expected.iter().map(|dispense| dispense.id).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected, "{filter:?}");
    assert_eq!(total, u64::try_from(expected.len()).unwrap(), "{filter:?}");
}
