//! Plans: no list reads the whole table, and those that are asked for most are found in their order and counted by an index alone.

use diesel::connection::SimpleConnection as _;
use esoz_device_dispense::{DispenseStatus, Trigger};
use esoz_kernel::{LegalEntityId, Timestamp, Uuid};
use esoz_testkit::planned_lists::{PlannedList, planned_lists};

use super::*;
use crate::query_plan::{migrated, plan};

#[test]
fn every_list_is_found_by_an_index() {
    let (_folder, mut connection) = migrated();
    // Twice: with the planner's own guesses, and with what it learns of 3,000 dispenses of 30 owners and 300 patients.
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO device_dispenses (id, document) SELECT printf('%08d-0000-4000-8000-000000000000', i), json_object(
            'id', printf('%08d-0000-4000-8000-000000000000', i), 'status', iif(i % 3, 'completed', 'in_progress'),
            'subject', printf('%064d', i % 300), 'inserted_at', printf('2026-01-31T08:15:30.%03dZ', i % 1000),
            'performer_legal_entity', json_object('identifier', json_object('value', printf('%08d', i % 30))))
        FROM n; ANALYZE";
    let mut faults = Vec::new();
    for prepare in ["", fill] {
        connection.batch_execute(prepare).unwrap();
        let (owner, subject) = (LegalEntityId::new(Uuid::nil()), Pseudonym::new("S"));
        for PlannedList { filter, index, is_ordered, is_covered } in planned_lists(owner, &subject) {
            let found_by = format!("SEARCH device_dispenses USING INDEX device_dispenses_{index} ");
            let columns = (device_dispenses::id, device_dispenses::document);
            let (page, _) = plan(&mut connection, &page_of(&filter, PageRequest::FIRST).select(columns));
            if !page.contains(&found_by) || page.contains("TEMP B-TREE") == is_ordered {
                faults.push(format!("{filter:?}: {page}"));
            }
            let (count, reads_rows) = plan(&mut connection, &matching(&filter).count());
            // An index that begins with the owner counts as well as another.
            let found_by = if filter.subject.is_some() {
                found_by
            } else {
                "USING INDEX device_dispenses_owner_".to_owned()
            };
            if !count.contains(&found_by) || reads_rows == is_covered {
                faults.push(format!("counting {filter:?}: {count}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn overdue_dispenses_are_found_in_order_by_the_index_of_those_in_progress() {
    let (_folder, mut connection) = migrated();
    let from = DispenseStatus::Unknown.sources(Trigger::AutoExpire);
    let filter = OverdueFilter { from, inserted_before: Timestamp::MAX, after: None };
    for after in [None, Some(("2026-01-31T08:15:30.123Z".to_owned(), Uuid::nil().to_string()))] {
        let (found, _) = plan(&mut connection, &positions(&filter, after, 7));
        assert!(
            found.contains("SEARCH device_dispenses USING INDEX device_dispenses_in_progress "),
            "{found}"
        );
        assert!(!found.contains("TEMP B-TREE"), "{found}");
    }
}

#[test]
fn active_dispenses_of_a_request_are_found_by_the_index_of_those_in_progress() {
    let (_folder, mut connection) = migrated();
    let (found, _) = plan(&mut connection, &in_progress!(DeviceRequestId::new(Uuid::nil())));
    assert_eq!(found, "SEARCH device_dispenses USING INDEX device_dispenses_based_on (based_on=?)");
}
