use esoz_kernel::StoreErrorKind;
use esoz_store_postgres::{Migrated, PostgresSettings, PostgresStore, Schema, SchemaError, migrate};
use esoz_test_servers::{Durability, Postgres, shared};
use esoz_testkit::wait::wait_for;
use futures_util::future::join_all;

use super::support::{DEADLINE, TestDatabase, contract_division, division, fixture, fresh};

/// How many migrations there are.
fn migrations() -> usize {
    std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count()
}

/// The same server and database under another login.
fn as_login(url: &str, login: &str) -> String {
    let (_, place) = url.split_once('@').unwrap();
    format!("postgres://{login}@{place}")
}

fn database(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_does_nothing() {
    let url = shared::postgres().create_database().unwrap();
    let first = migrate(&PostgresSettings::new(&url)).await.unwrap().applied;
    assert_eq!(first.len(), migrations());
    assert!(first[0].contains("service_role"), "{first:?}");
    assert_eq!(migrate(&PostgresSettings::new(&url)).await.unwrap(), Migrated::default());
    let store = PostgresStore::connect(&PostgresSettings::new(&url)).unwrap();
    store.check_schema().await.unwrap();
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_migrate_at_once_each_migration_is_run_by_one() {
    let url = shared::postgres().create_database().unwrap();
    let settings = PostgresSettings::new(&url);
    let done = join_all((0..8).map(|_| migrate(&settings))).await;
    let done: Vec<_> = done.into_iter().flat_map(|done| done.unwrap().applied).collect();
    assert_eq!(done.len(), migrations());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_databases_of_a_new_cluster_migrate_at_once_though_they_share_the_role() {
    let server = Postgres::start(Durability::Off).unwrap();
    let urls: Vec<_> = (0..8).map(|_| server.create_database().unwrap()).collect();
    let stores: Vec<_> =
        urls.iter().map(|url| PostgresStore::connect(&PostgresSettings::new(url)).unwrap()).collect();
    // There is not even the role yet.
    let refusal = stores[0].check_schema().await.unwrap_err();
    assert!(matches!(refusal, SchemaError::Older { .. }), "{refusal:?}");
    for done in join_all(urls.iter().map(async |url| migrate(&PostgresSettings::new(url)).await)).await {
        assert_eq!(done.unwrap().applied.len(), migrations());
    }
    for store in stores {
        store.check_schema().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_is_no_superuser_migrates_and_may_serve_and_so_may_a_mere_member() {
    let server = Postgres::start(Durability::Off).unwrap();
    let url = server.create_database().unwrap();
    let name = database(&url);
    for sql in [
        "CREATE ROLE owner LOGIN CREATEROLE",
        "CREATE ROLE stranger LOGIN",
        &format!("ALTER DATABASE {name} OWNER TO owner"),
    ] {
        server.address().query(sql).unwrap();
    }
    migrate(&PostgresSettings::new(as_login(&url, "owner"))).await.unwrap();
    server.address().query("CREATE ROLE app LOGIN IN ROLE esoz_service").unwrap();
    for login in ["owner", "app"] {
        let store = PostgresStore::connect(&PostgresSettings::new(as_login(&url, login))).unwrap();
        store.check_schema().await.unwrap();
    }
    let stranger = PostgresStore::connect(&PostgresSettings::new(as_login(&url, "stranger"))).unwrap();
    let error = stranger.ping().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    assert!(error.to_string().contains("GRANT esoz_service"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_may_not_make_roles_is_told_what_to_do_and_goes_on_once_it_is_done() {
    let server = Postgres::start(Durability::Off).unwrap();
    let url = server.create_database().unwrap();
    server.address().query("CREATE ROLE owner LOGIN").unwrap();
    server.address().query(&format!("ALTER DATABASE {} OWNER TO owner", database(&url))).unwrap();
    let url = as_login(&url, "owner");
    let error = migrate(&PostgresSettings::new(&url)).await.unwrap_err();
    assert!(error.to_string().contains("CREATE ROLE esoz_service"), "{error}");
    server.address().query("CREATE ROLE esoz_service NOLOGIN").unwrap();
    assert_eq!(migrate(&PostgresSettings::new(&url)).await.unwrap().applied.len(), migrations());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_older_or_newer_is_refused_with_what_to_do() {
    let TestDatabase { server, url, store } = fresh().await;
    server.query_in(&url, "INSERT INTO __diesel_schema_migrations VALUES ('999999')").unwrap();
    let newer = store.check_schema().await.unwrap_err();
    assert!(matches!(&newer, SchemaError::Newer { unknown } if *unknown == ["999999"]), "{newer:?}");
    assert!(newer.to_string().contains("newer than this program"), "{newer}");

    server
        .query_in(&url, "DELETE FROM __diesel_schema_migrations WHERE version IN ('999999', '000011')")
        .unwrap();
    let older = store.check_schema().await.unwrap_err();
    assert!(older.to_string().contains("run `esoz migrate` (missing: 000011_"), "{older}");

    let empty = PostgresStore::connect(&PostgresSettings::new(server.create_database().unwrap())).unwrap();
    assert!(
        matches!(empty.check_schema().await, Err(SchemaError::Older { missing }) if missing.len() == migrations())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_worked_on_if_each_of_its_migrations_says_so() {
    let TestDatabase { server, url, store } = fresh().await;
    let newest = format!("{:06}", migrations());
    let run = |sql: &str| server.query_in(&url, sql).unwrap();
    run(&format!("INSERT INTO schema_compatibility VALUES ('900001', '{newest}'), ('900002', '900002')"));
    run("INSERT INTO __diesel_schema_migrations VALUES ('900001')");
    let schema = store.check_schema().await.unwrap();
    let unknown = vec![String::from("900001")];
    assert_eq!(schema, Schema::Newer { unknown: unknown.clone(), known_until: newest.clone() });
    // This program has nothing to do there, also if something is missing that it knows.
    run(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{newest}'"));
    let migrated = migrate(&PostgresSettings::new(&url)).await.unwrap();
    assert_eq!(migrated, Migrated { applied: Vec::new(), unknown });
    run(&format!("INSERT INTO __diesel_schema_migrations VALUES ('{newest}')"));

    run("INSERT INTO __diesel_schema_migrations VALUES ('900002')");
    let refused = store.check_schema().await.unwrap_err();
    assert!(
        matches!(&refused, SchemaError::Newer { unknown } if *unknown == ["900001", "900002"]),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("not made for it: update the program"), "{refused}");

    run("UPDATE schema_compatibility SET works_from = '000001' WHERE version = '900002'");
    store.check_schema().await.unwrap();
    // What is not there yet is no matter of being newer.
    run("DELETE FROM __diesel_schema_migrations WHERE version = '000012'");
    store.check_schema().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_migration_says_which_programs_may_go_on() {
    let TestDatabase { server, url, .. } = fresh().await;
    let silent = "SELECT count(*) FROM __diesel_schema_migrations WHERE version >= '000013' \
                  AND version NOT IN (SELECT version FROM schema_compatibility)";
    assert_eq!(
        server.query_in(&url, silent).unwrap(),
        "0",
        "a migration without its row in schema_compatibility"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_waits_for_a_running_service_only_so_long() {
    let test_db = fresh().await;
    // As if the migrations of the trigger were not there yet.
    test_db.admin("DROP TRIGGER contract_divisions_audit ON contract_divisions");
    test_db.admin("DELETE FROM __diesel_schema_migrations WHERE version IN ('000011', '000021')");
    test_db.admin("DELETE FROM schema_compatibility WHERE version = '000021'");
    let mut session = test_db.session().await;
    let transaction = session.transaction().await.unwrap();
    transaction.batch_execute("LOCK contract_divisions IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    let error = migrate(&PostgresSettings::new(&test_db.url)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("000011_audit_contract_divisions"), "{error}");
    transaction.rollback().await.unwrap();
    assert_eq!(
        migrate(&PostgresSettings::new(&test_db.url)).await.unwrap().applied,
        ["000011_audit_contract_divisions", "000021_audit_always"]
    );
    test_db.store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_while_the_service_writes_and_again_if_its_build_was_interrupted() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    test_db.admin("DROP INDEX contract_divisions_inserted_at");
    // What others build here is theirs.
    test_db.admin("CREATE TABLE others (part integer) PARTITION BY LIST (part)");
    test_db.admin("CREATE INDEX others_part ON ONLY others (part)");
    test_db.admin("CREATE TABLE others_1 PARTITION OF others FOR VALUES IN (1)");
    test_db.admin("DELETE FROM __diesel_schema_migrations WHERE version = '000020'");
    let mut session = test_db.session().await;
    // A transaction that has written holds the end of the build up.
    let transaction = session.transaction().await.unwrap();
    transaction.execute("UPDATE contract_divisions SET updated_by = updated_by", &[]).await.unwrap();
    let migrating = tokio::spawn({
        let url = test_db.url.clone();
        async move { migrate(&PostgresSettings::new(&url)).await }
    });
    let is_made = "SELECT count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relname = 'contract_divisions_inserted_at' AND NOT indisvalid";
    wait_for("the build of the index", DEADLINE, async || match test_db.admin(is_made).as_str() {
        "1" => Ok(()),
        other => Err(other.to_owned()),
    })
    .await;
    // Others write meanwhile.
    let division = division(&test_db.store, fixture.legal_entity).await;
    contract_division(&test_db.store, fixture.to.contract_id, division).await;
    test_db.admin(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE '%CREATE INDEX CONCURRENTLY%' AND pid <> pg_backend_pid()",
    );
    let error = migrating.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("000020"), "{error}");
    assert_eq!(test_db.admin(is_made), "1");
    transaction.rollback().await.unwrap();
    let applied = ["000020_lists_of_contract_divisions"];
    assert_eq!(migrate(&PostgresSettings::new(&test_db.url)).await.unwrap().applied, applied);
    assert_eq!(test_db.admin(is_made), "0");
    // The server completes a build whose client is gone; the migration is then not recorded.
    test_db.admin("DELETE FROM __diesel_schema_migrations WHERE version = '000020'");
    assert_eq!(migrate(&PostgresSettings::new(&test_db.url)).await.unwrap().applied, applied);
    let of_others = "SELECT count(*) FROM pg_class WHERE relname = 'others_part'";
    assert_eq!(test_db.admin(of_others), "1");
}
