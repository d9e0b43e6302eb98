//! Lists of dispenses with the plans that a store must have for them: none reads all that it holds, and those that are asked for most are
//! found in their order and counted by an index alone.

use esoz_device_dispense::{DispenseStatus, Filter, Pseudonym, SEARCH_PARAMETERS, Search, TimeRange};
use esoz_kernel::{LegalEntityId, Timestamp};

/// What the names of the indexes end in.
const BY_OWNER: &str = "owner_inserted_at";
const BY_STATUS: &str = "owner_status_inserted_at";
const BY_SUBJECT: &str = "subject_owner_inserted_at";

/// A list with its plan.
#[derive(Debug)]
pub struct PlannedList {
    /// What is listed.
    pub filter: Filter,
    /// What the name of the index ends in that it is found by.
    pub index: &'static str,
    /// Whether the index gives the order.
    pub is_ordered: bool,
    /// Whether the index alone counts what matches.
    pub is_covered: bool,
}

/// Lists of that legal entity and of that patient.
pub fn planned_lists(owner: LegalEntityId, subject: &Pseudonym) -> Vec<PlannedList> {
    let owner = Filter { owner: Some(owner), ..Filter::default() };
    let subject = Filter { subject: Some(subject.clone()), ..Filter::default() };
    let both = Filter { subject: subject.subject.clone(), ..owner.clone() };
    let begun = |filter: &Filter| Filter { status: Some(DispenseStatus::InProgress), ..filter.clone() };
    let range = TimeRange::new(Some(Timestamp::UNIX_EPOCH), None);
    let inserted = |filter: &Filter| Filter { inserted_at: range, ..filter.clone() };
    let row = |filter: &Filter, index, is_ordered, is_covered| PlannedList {
        filter: filter.clone(),
        index,
        is_ordered,
        is_covered,
    };
    let mut planned = vec![
        row(&owner, BY_OWNER, true, true),
        row(&inserted(&owner), BY_OWNER, true, true),
        row(&begun(&owner), BY_STATUS, true, true),
        row(&inserted(&begun(&owner)), BY_STATUS, true, true),
        row(&both, BY_SUBJECT, true, true),
        row(&inserted(&both), BY_SUBJECT, true, true),
        row(&begun(&both), BY_SUBJECT, true, false),
        row(&subject, BY_SUBJECT, false, true),
        row(&begun(&subject), BY_SUBJECT, false, false),
        row(&Filter { when_handed_over: range, ..owner.clone() }, BY_OWNER, true, false),
    ];
    for parameter in &SEARCH_PARAMETERS {
        let value = parameter.parse("29dc859e-37fa-481d-8526-e95ac76036dd");
        let search: Vec<Search> = value.map(|value| Search { parameter, value }).into_iter().collect();
        planned.push(row(&Filter { search: search.clone(), ..owner.clone() }, BY_OWNER, true, false));
        planned.push(row(&Filter { search, ..both.clone() }, BY_SUBJECT, true, false));
    }
    planned
}
