use esoz_auth::{AccessTokens, Secret};
use esoz_kernel::StoreErrorKind;
use esoz_testkit::builders::fresh as fresh_id;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::support::{TestDatabase, fixture, fresh, session};

#[tokio::test(flavor = "multi_thread")]
async fn the_service_role_can_only_read_the_audit_log_and_delete_nothing_but_keys_and_events() {
    let test_db = fresh().await;
    let record = fixture(&test_db.store).await.record;
    assert_eq!(test_db.admin("SELECT count(*) FROM audit_log"), "1");
    let service = test_db.session().await;
    service.batch_execute("SET ROLE esoz_service").await.unwrap();
    service.batch_execute("SELECT * FROM audit_log").await.unwrap();
    service.batch_execute("DELETE FROM idempotency_keys").await.unwrap();
    service.batch_execute("DELETE FROM outbox").await.unwrap();
    service.batch_execute("UPDATE outbox SET claimed_by = NULL, claimed_until = NULL").await.unwrap();
    service.batch_execute("DELETE FROM event_log").await.unwrap();
    let mut forbidden = vec![
        String::from("UPDATE event_log SET event_type = ''"),
        String::from("TRUNCATE event_log"),
        String::from("UPDATE outbox SET new_status = ''"),
        String::from("TRUNCATE outbox"),
        String::from("UPDATE audit_log SET actor_id = resource_id"),
        format!(
            "INSERT INTO audit_log (actor_id, resource, resource_id, action) VALUES ('{0}', 'x', '{0}', 'INSERT')",
            record.id
        ),
        String::from("UPDATE idempotency_keys SET request = key"),
        String::from("TRUNCATE idempotency_keys"),
        String::from("UPDATE access_tokens SET scope = ''"),
        String::from("UPDATE api_keys SET client_id = client_id"),
        String::from("ALTER TABLE contract_divisions DISABLE TRIGGER ALL"),
        String::from("ALTER TABLE contract_divisions OWNER TO esoz_service"),
        String::from("CREATE TABLE t ()"),
        String::from(
            "CREATE OR REPLACE FUNCTION esoz_audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        ),
        String::from("INSERT INTO __diesel_schema_migrations VALUES ('1')"),
    ];
    for table in [
        "audit_log",
        "contract_divisions",
        "contracts",
        "divisions",
        "legal_entities",
        "access_tokens",
        "api_keys",
        "users",
        "clients",
    ] {
        forbidden.push(format!("DELETE FROM {table}"));
        forbidden.push(format!("TRUNCATE {table} CASCADE"));
    }
    for sql in forbidden {
        let error = service.batch_execute(&sql).await.expect_err(&sql);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {error:?}");
    }
    assert_eq!(test_db.admin("SELECT count(*) FROM audit_log"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_works_as_the_service_role_whoever_it_logs_in_as() {
    // The login is the superuser, to whom rights mean nothing.
    let test_db = fresh().await;
    let token = Secret::new("a token");
    assert_eq!(AccessTokens::find(&test_db.store, &token).await.unwrap(), None);
    test_db.admin("REVOKE SELECT ON access_tokens FROM esoz_service");
    let error = AccessTokens::find(&test_db.store, &token).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("SQLSTATE 42501"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trigger_function_cannot_be_lured_to_another_table() {
    let test_db = fresh().await;
    let record = fixture(&test_db.store).await.record;
    let service = test_db.session().await;
    service.batch_execute("SET ROLE esoz_service").await.unwrap();
    // Whoever may make temporary tables could put one before the real one, were the path not pinned.
    service
        .batch_execute(
            "CREATE TEMP TABLE audit_log (LIKE public.audit_log); SET search_path = pg_temp, public",
        )
        .await
        .unwrap();
    service
        .execute(
            "UPDATE public.contract_divisions SET updated_at = now() WHERE id = $1::text::uuid",
            &[&record.id.to_string()],
        )
        .await
        .unwrap();
    assert_eq!(test_db.admin("SELECT string_agg(action, ',' ORDER BY id) FROM audit_log"), "INSERT,UPDATE");
}

/// A login of a test's own, a member of the service's role, as an installation has one.
async fn login(test_db: &TestDatabase) -> (String, Client) {
    let (login, password) = (format!("esoz_test_{}", fresh_id().simple()), fresh_id().simple().to_string());
    test_db.admin(&format!("CREATE ROLE {login} LOGIN PASSWORD '{password}' IN ROLE esoz_service"));
    let (_, place) = test_db.url.split_once('@').unwrap();
    let client = session(&format!("postgres://{login}:{password}@{place}")).await;
    (login, client)
}

/// Every way that we know to change what was audited, or what audits.
fn attempts(owner: &str) -> Vec<String> {
    let direct = [
        "UPDATE audit_log SET actor_id = resource_id",
        "UPDATE audit_log SET after = NULL WHERE false",
        "UPDATE ONLY public.audit_log SET id = DEFAULT",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE false",
        "TRUNCATE audit_log",
        "TRUNCATE contract_divisions, audit_log RESTART IDENTITY CASCADE",
        "INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT * FROM audit_log",
        "INSERT INTO audit_log (actor_id, resource, resource_id, action) SELECT id, 'x', id, 'INSERT' FROM contract_divisions",
        "INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT * FROM audit_log ON CONFLICT (id) DO UPDATE SET actor_id = excluded.resource_id",
        "WITH gone AS (DELETE FROM audit_log RETURNING *) SELECT count(*) FROM gone",
        "SELECT * FROM audit_log FOR UPDATE",
        "COPY audit_log FROM PROGRAM 'true'",
        "SELECT setval('audit_log_id_seq', 1)",
    ];
    let table = [
        "ALTER TABLE audit_log OWNER TO esoz_service",
        "ALTER TABLE audit_log DROP COLUMN before",
        "ALTER TABLE audit_log RENAME TO audit_log_of_yesterday",
        "ALTER TABLE audit_log SET SCHEMA pg_temp",
        "ALTER TABLE audit_log ADD CONSTRAINT never CHECK (false) NOT VALID",
        "ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE audit_log SET UNLOGGED",
        "DROP TABLE audit_log CASCADE",
        "CREATE RULE never AS ON INSERT TO audit_log DO INSTEAD NOTHING",
        "CREATE INDEX again ON audit_log (actor_id)",
        "REINDEX TABLE audit_log",
    ];
    let trigger = [
        "ALTER TABLE contract_divisions DISABLE TRIGGER contract_divisions_audit",
        "ALTER TABLE contract_divisions DISABLE TRIGGER ALL",
        "ALTER TABLE contract_divisions DISABLE TRIGGER USER",
        "DROP TRIGGER contract_divisions_audit ON contract_divisions",
        "ALTER TRIGGER contract_divisions_audit ON contract_divisions RENAME TO other",
        "CREATE TRIGGER first BEFORE UPDATE ON contract_divisions FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE OR REPLACE FUNCTION esoz_audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "ALTER FUNCTION esoz_audit() OWNER TO esoz_service",
        "ALTER FUNCTION esoz_audit() SECURITY INVOKER",
        "ALTER FUNCTION esoz_audit() SET search_path = pg_temp",
        "DROP FUNCTION esoz_audit() CASCADE",
        "CREATE FUNCTION public.to_jsonb(record) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL'",
        "SET session_replication_role = replica",
        "SET LOCAL session_replication_role = replica",
        "SELECT set_config('session_replication_role', 'replica', false)",
    ];
    let role = [
        "ALTER ROLE esoz_service SUPERUSER".to_owned(),
        "ALTER ROLE esoz_service SET session_replication_role = replica".to_owned(),
        "CREATE ROLE esoz_other SUPERUSER".to_owned(),
        format!("SET ROLE \"{owner}\""),
        format!("SET SESSION AUTHORIZATION \"{owner}\""),
        format!("GRANT \"{owner}\" TO esoz_service"),
        "GRANT pg_write_all_data TO esoz_service".to_owned(),
        "SET ROLE pg_write_all_data".to_owned(),
        format!("ALTER ROLE \"{owner}\" SET session_replication_role = replica"),
        "ALTER SYSTEM SET session_replication_role = 'replica'".to_owned(),
        "DO LANGUAGE plpgsql 'BEGIN DELETE FROM audit_log; END'".to_owned(),
    ];
    [direct.as_slice(), &table, &trigger].concat().into_iter().map(str::to_owned).chain(role).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_services_login_may_do_changes_what_was_audited_or_what_audits() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let owner = test_db.admin("SELECT tableowner FROM pg_tables WHERE tablename = 'audit_log'");
    let (login, service) = login(&test_db).await;
    let everything = "SELECT string_agg(xmin::text || audit_log::text, ',' ORDER BY id) FROM audit_log";
    let what_audits = "SELECT string_agg(tgname || tgenabled::text || pg_get_triggerdef(t.oid) || pg_get_functiondef(tgfoid), ',' ORDER BY tgname)
        FROM pg_trigger AS t WHERE tgrelid = 'contract_divisions'::regclass AND NOT tgisinternal";
    let before = (test_db.admin(everything), test_db.admin(what_audits));
    assert!(!before.0.is_empty() && before.1.contains("esoz_audit"), "{before:?}");

    // As it logs in, and in the role that it works as.
    for role in ["RESET ROLE", "SET ROLE esoz_service"] {
        service.batch_execute(role).await.unwrap();
        for sql in attempts(&owner) {
            let refused = service.batch_execute(&sql).await.expect_err(&sql);
            // A name that does not resolve would prove nothing.
            assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {refused:?}");
        }
        assert_eq!((test_db.admin(everything), test_db.admin(what_audits)), before, "{role}");
    }

    // To grant what it has not is told by a warning, and grants nothing.
    let rights = "SELECT relacl::text FROM pg_class WHERE oid = 'audit_log'::regclass";
    let had = test_db.admin(rights);
    service.batch_execute("GRANT ALL ON audit_log TO esoz_service").await.unwrap();
    assert_eq!(test_db.admin(rights), had);

    // What it may do is audited, whatever it does around it.
    service
        .batch_execute("BEGIN; SET LOCAL search_path = pg_temp; SET CONSTRAINTS ALL DEFERRED")
        .await
        .unwrap();
    let update =
        format!("UPDATE public.contract_divisions SET updated_at = now() WHERE id = '{}'", fixture.record.id);
    service.batch_execute(&format!("{update}; COMMIT")).await.unwrap();
    assert_eq!(test_db.admin("SELECT string_agg(action, ',' ORDER BY id) FROM audit_log"), "INSERT,UPDATE");
    test_db
        .admin(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{login}'"));
    test_db.admin(&format!("DROP ROLE {login}"));
}
