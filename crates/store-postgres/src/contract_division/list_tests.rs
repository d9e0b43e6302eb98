//! Plans: a page is found in its order by an index, and counted by indexes alone.

use diesel::sql_types::Text;
use esoz_contract_division::{ContractRegistry as _, Visibility};
use esoz_test_servers::shared;

use super::*;
use crate::{PostgresSettings, PostgresStore, migrate};

/// What EXPLAIN says of the query.
#[derive(Clone)]
struct Explain(ListRecords);

impl QueryFragment<Pg> for Explain {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("EXPLAIN (COSTS OFF) ");
        self.0.walk_ast(out)
    }
}

impl Query for Explain {
    type SqlType = Text;
}

impl QueryId for Explain {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// 20,000 records of 100 contracts and 200 divisions; a twentieth of the contracts is of another type.
const FILL: &str = "
    INSERT INTO legal_entities SELECT gen_random_uuid(), 'x', '12345678', 'PHARMACY', 'ACTIVE', true, now(), gen_random_uuid(), now(), gen_random_uuid();
    INSERT INTO contracts (id, type, status, contract_number, contractor_legal_entity_id, start_date, end_date, is_active, is_suspended,
        inserted_at, inserted_by, updated_at, updated_by)
    SELECT format('00000000-0000-4000-8000-%s', lpad(i::text, 12, '0'))::uuid, CASE i % 20 WHEN 0 THEN 'CAPITATION' ELSE 'GB_CBP' END, 'VERIFIED',
        'x', legal_entities.id, '2026-01-01', '2026-12-31', true, false, now(), gen_random_uuid(), now(), gen_random_uuid()
    FROM generate_series(1, 100) AS i, legal_entities;
    INSERT INTO divisions (id, legal_entity_id, name, type, status, is_active, inserted_at, inserted_by, updated_at, updated_by)
    SELECT format('00000000-0000-4000-8000-%s', lpad(i::text, 12, '0'))::uuid, legal_entities.id, 'x', 'CLINIC', 'ACTIVE', true,
        now(), gen_random_uuid(), now(), gen_random_uuid()
    FROM generate_series(1, 200) AS i, legal_entities;
    INSERT INTO contract_divisions
    SELECT gen_random_uuid(), contracts.id, divisions.id, true, now() - random() * interval '1 year', gen_random_uuid(), now(), gen_random_uuid()
    FROM contracts, divisions;
    VACUUM ANALYZE;";

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_found_by_an_index() {
    let server = shared::postgres();
    let url = server.create_database().unwrap();
    migrate(&PostgresSettings::new(&url)).await.unwrap();
    for statement in FILL.split_inclusive(';') {
        server.query_in(&url, statement).unwrap();
    }
    let store = PostgresStore::connect(&PostgresSettings::new(&url)).unwrap();
    let all: Vec<ContractDivision> =
        store.snapshot_contract_divisions().await.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(all.len(), 20_000);
    assert!(all.is_sorted_by(|one, next| one.id < next.id));
    let known = Uuid::from_u128(0x4000_8000_0000_0000_0007);
    let everything = Filter { id: None, contract_id: None, division_id: None, visibility: Visibility::SHOWN };
    for (filter, found_by) in [
        (everything, "Index Scan using contract_divisions_inserted_at"),
        (Filter { id: Some(ContractDivisionId::new(known)), ..everything }, "Index Cond: (id = "),
        (Filter { contract_id: Some(ContractId::new(known)), ..everything }, "Index Cond: (contract_id = "),
        (Filter { division_id: Some(DivisionId::new(known)), ..everything }, "Index Cond: (division_id = "),
    ] {
        let query = Explain(ListRecords::new(&filter, PageRequest::FIRST));
        let plan: Vec<String> = store.connections.query(query).await.unwrap();
        let plan = plan.join("\n");
        let (page, _) = plan.split_once("CTE found").unwrap();
        assert!(page.contains(found_by), "{filter:?}\n{plan}");
        assert!(!page.contains("Seq Scan on contract_divisions"), "{filter:?}\n{plan}");
    }
}
