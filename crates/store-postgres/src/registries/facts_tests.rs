//! Plans: facts are found by indexes.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use esoz_test_servers::shared;
use esoz_testkit::registries::RegistryFixture;

use super::*;
use crate::{PostgresSettings, PostgresStore, migrate};

/// What EXPLAIN says of the query.
#[derive(Clone)]
struct Explain<Q>(Q);

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Explain<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("EXPLAIN (COSTS OFF) ");
        self.0.walk_ast(out)
    }
}

impl<Q> Query for Explain<Q> {
    type SqlType = Text;
}

impl<Q> QueryId for Explain<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// 20,000 devices of 10 programs, of 2,000 definitions of 200 types; 20,000 persons, parties and employees.
const FILL: &str = "
    INSERT INTO legal_entities SELECT gen_random_uuid(), 'x', '12345678', 'PHARMACY', 'ACTIVE', true, now(), gen_random_uuid(), now(), gen_random_uuid()
    FROM generate_series(1, 2000);
    INSERT INTO divisions SELECT gen_random_uuid(), id, 'x', 'CLINIC', 'ACTIVE', true, true, now(), gen_random_uuid(), now(), gen_random_uuid()
    FROM legal_entities;
    INSERT INTO persons SELECT md5(i::text) || md5(i::text), 'active', 'VERIFIED', now(), gen_random_uuid(), now(), gen_random_uuid()
    FROM generate_series(1, 20000) AS i;
    INSERT INTO parties SELECT gen_random_uuid(), NULL, ARRAY[gen_random_uuid()], now(), gen_random_uuid(), now(), gen_random_uuid()
    FROM generate_series(1, 20000);
    INSERT INTO employees SELECT gen_random_uuid(), id, (SELECT id FROM legal_entities LIMIT 1), 'x', 'APPROVED', true, NULL, 'x',
        now(), gen_random_uuid(), now(), gen_random_uuid() FROM parties;
    INSERT INTO medical_programs SELECT gen_random_uuid(), 'x', 'x', true, now(), gen_random_uuid(), now(), gen_random_uuid()
    FROM generate_series(1, 10);
    INSERT INTO device_definitions SELECT gen_random_uuid(), 'x', true, (i % 200)::text, 'piece', 1, now(), gen_random_uuid(), now(), gen_random_uuid()
    FROM generate_series(1, 2000) AS i;
    INSERT INTO program_devices SELECT gen_random_uuid(), medical_programs.id, device_definitions.id, true, '2026-01-01', NULL, 'FIXED', 1, NULL, NULL,
        now(), gen_random_uuid(), now(), gen_random_uuid() FROM medical_programs, device_definitions;
    VACUUM ANALYZE;";

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_found_by_indexes() {
    let server = shared::postgres();
    let url = server.create_database().unwrap();
    migrate(&PostgresSettings::new(&url)).await.unwrap();
    for statement in FILL.split_inclusive(';') {
        server.query_in(&url, statement).unwrap();
    }
    let store = PostgresStore::connect(&PostgresSettings::new(&url)).unwrap();
    let mut query = RegistryFixture::build().query();
    query.program_devices.ids.push(esoz_kernel::ProgramDeviceId::new(Uuid::nil()));
    query.program_devices.classification_types.push("7".to_owned());
    let facts: Vec<String> = store.connections.query(Explain(FindFacts::of(&query))).await.unwrap();
    let devices = Explain(FindProgramDevices::of(&query.program_devices));
    let devices: Vec<String> = store.connections.query(devices).await.unwrap();
    for plan in [facts.join("\n"), devices.join("\n")] {
        // Programs are so few that PostgreSQL reads them all.
        let whole =
            plan.lines().filter(|line| line.contains("Seq Scan") && !line.contains("medical_programs"));
        assert_eq!(whole.collect::<Vec<_>>(), [""; 0], "{plan}");
        for index in ["program_devices_program_id", "device_definitions_classification_type"] {
            assert!(plan.contains(index), "{index}: {plan}");
        }
    }
}
