use esoz_auth::{AccessTokens, Secret};
use esoz_kernel::StoreErrorKind;
use tokio_postgres::error::SqlState;

use super::support::{fresh, scene};

#[tokio::test(flavor = "multi_thread")]
async fn the_service_role_can_only_read_the_audit_log_and_delete_nothing_but_keys() {
    let world = fresh().await;
    let record = scene(&world.store).await.record;
    assert_eq!(world.admin("SELECT count(*) FROM audit_log"), "1");
    let service = world.session().await;
    service.batch_execute("SET ROLE esoz_service").await.unwrap();
    service.batch_execute("SELECT * FROM audit_log").await.unwrap();
    service.batch_execute("DELETE FROM idempotency_keys").await.unwrap();
    let mut forbidden = vec![
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
    assert_eq!(world.admin("SELECT count(*) FROM audit_log"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_works_as_the_service_role_whoever_it_logs_in_as() {
    // The login is the superuser, to whom rights mean nothing.
    let world = fresh().await;
    let token = Secret::new("a token");
    assert_eq!(AccessTokens::find(&world.store, &token).await.unwrap(), None);
    world.admin("REVOKE SELECT ON access_tokens FROM esoz_service");
    let error = AccessTokens::find(&world.store, &token).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("SQLSTATE 42501"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trigger_function_cannot_be_lured_to_another_table() {
    let world = fresh().await;
    let record = scene(&world.store).await.record;
    let service = world.session().await;
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
    assert_eq!(world.admin("SELECT string_agg(action, ',' ORDER BY id) FROM audit_log"), "INSERT,UPDATE");
}
