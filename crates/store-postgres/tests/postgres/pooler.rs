//! A connection pooler between the service and the database.

use esoz_kernel::{StoreErrorKind, with_causes};
use esoz_store_postgres::{PostgresSettings, PostgresStore, Schema, migrate};
use esoz_test_servers::{Durability, PgBouncer, Postgres};

use crate::support::patient;

fn url(pooler: &PgBouncer, database: &str) -> String {
    let name = database.rsplit('/').next().unwrap();
    format!("postgres://postgres@127.0.0.1:{}/{name}", pooler.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_of_transactions_is_refused_before_anything_is_set() {
    let server = Postgres::start(Durability::Off).unwrap();
    let database = server.create_database().unwrap();
    migrate(&PostgresSettings::new(&database)).await.unwrap();
    let pooler = PgBouncer::start(server.port(), "transaction").unwrap();
    let settings = patient(&url(&pooler, &database));

    let refused = migrate(&settings).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unexpected);
    assert!(refused.with_causes().contains("pool_mode = session"), "{}", refused.with_causes());
    let store = PostgresStore::connect(&settings).unwrap();
    let refused = store.check_schema().await.unwrap_err();
    let told = with_causes(&refused);
    assert!(told.contains("pool_mode = session"), "{told}");

    // Others who share the pooler's sessions are themselves.
    for _ in 0..3 {
        let shared = url(&pooler, &database);
        assert_eq!(server.address().query_in(&shared, "select current_user").unwrap(), "postgres");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_of_sessions_is_as_good_as_none() {
    let server = Postgres::start(Durability::Off).unwrap();
    let database = server.create_database().unwrap();
    let pooler = PgBouncer::start(server.port(), "session").unwrap();
    let settings = patient(&url(&pooler, &database));
    migrate(&settings).await.unwrap();
    let store = PostgresStore::connect(&settings).unwrap();
    assert_eq!(store.check_schema().await.unwrap(), Schema::Known);
    store.ping().await.unwrap();
}
