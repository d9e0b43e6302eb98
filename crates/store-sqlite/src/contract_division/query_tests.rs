//! Plans: a page is found in its order by an index.

use diesel::connection::SimpleConnection as _;
use esoz_contract_division::Visibility;
use esoz_kernel::{ContractId, DivisionId, Uuid};

use super::*;
use crate::query_plan::{migrated, plan};

/// 20,000 records of 100 contracts and 200 divisions; a twentieth of the contracts is of another type.
const FILL: &str = "
    INSERT INTO legal_entities VALUES ('e', 'x', '12345678', 'PHARMACY', 'ACTIVE', 1, '', '', '', '');
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
    INSERT INTO contracts SELECT 'c' || i, iif(i % 20, 'GB_CBP', 'CAPITATION'), 'VERIFIED', 'x', 'e', '', '', 1, 0, '', '', '', '' FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
    INSERT INTO divisions SELECT 'd' || i, 'e', 'x', 'CLINIC', 'ACTIVE', 1, NULL, '', '', '', '' FROM n;
    INSERT INTO contract_divisions SELECT contracts.id || divisions.id, contracts.id, divisions.id, 1,
        printf('2026-01-%02dT08:15:30.000000Z', 1 + random() & 15), 'u', '', 'u' FROM contracts, divisions;
    ANALYZE;";

#[test]
fn every_list_is_found_by_an_index() {
    let (_folder, mut connection) = migrated();
    let everything = Filter { id: None, contract_id: None, division_id: None, visibility: Visibility::SHOWN };
    for prepare in ["", FILL] {
        connection.batch_execute(prepare).unwrap();
        for (filter, found_by) in [
            (everything, "SCAN contract_divisions USING INDEX contract_divisions_inserted_at"),
            (
                Filter { id: Some(ContractDivisionId::new(Uuid::nil())), ..everything },
                "SEARCH contract_divisions USING INDEX sqlite_autoindex_contract_divisions_1",
            ),
            (
                Filter { contract_id: Some(ContractId::new(Uuid::nil())), ..everything },
                "SEARCH contract_divisions USING INDEX contract_divisions_",
            ),
            (
                Filter { division_id: Some(DivisionId::new(Uuid::nil())), ..everything },
                "SEARCH contract_divisions USING INDEX contract_divisions_division_id",
            ),
        ] {
            let page = page_of(&filter, PageRequest::FIRST).select(RecordRow::as_select());
            let (plan, _) = plan(&mut connection, &page);
            assert!(plan.contains(found_by), "{filter:?}: {plan}");
        }
    }
}
