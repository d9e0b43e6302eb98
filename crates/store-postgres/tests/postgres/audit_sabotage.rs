//! The owner of the schema switches the audit off without dropping or disabling its trigger.

use esoz_kernel::StoreErrorKind;
use esoz_store_postgres::{PostgresSettings, migrate};

use super::support::{TestDatabase, applied, audit_rows, fixture, fresh, update};

const NOTHING: &str =
    "RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ BEGIN RETURN NULL; END $$";

async fn assert_told(test_db: &TestDatabase, sabotage: &str, what: &str) {
    let pinged = test_db.store.ping().await;
    let Err(error) = pinged else { panic!("not told: {sabotage}") };
    let told = error.with_causes();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{sabotage}: {told}");
    assert!(
        told.contains(what) && told.contains("`esoz migrate` restores what is esoz's"),
        "{sabotage}: {told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_or_trigger_that_is_not_ours_and_a_trigger_of_ours_that_is_changed_are_told() {
    let test_db = fresh().await;
    test_db.admin(&format!("CREATE FUNCTION drop_row() {NOTHING}"));
    let ours = |how: &str| {
        format!(
            "CREATE OR REPLACE TRIGGER contract_divisions_audit {how};
             ALTER TABLE contract_divisions ENABLE ALWAYS TRIGGER contract_divisions_audit"
        )
    };
    for (sabotage, undo, what) in [
        (
            "CREATE RULE swallow AS ON INSERT TO audit_log DO INSTEAD NOTHING".to_owned(),
            Some("DROP RULE swallow ON audit_log"),
            "there is a rule swallow on audit_log",
        ),
        (
            "CREATE RULE swallow AS ON UPDATE TO contract_divisions WHERE false DO INSTEAD NOTHING".to_owned(),
            Some("DROP RULE swallow ON contract_divisions"),
            "there is a rule swallow on contract_divisions",
        ),
        (
            "CREATE TRIGGER swallow BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION drop_row()".to_owned(),
            Some("DROP TRIGGER swallow ON audit_log"),
            "there is a trigger swallow on audit_log",
        ),
        (
            "CREATE TRIGGER swallow AFTER UPDATE ON contract_divisions FOR EACH ROW EXECUTE FUNCTION drop_row()".to_owned(),
            Some("DROP TRIGGER swallow ON contract_divisions"),
            "there is a trigger swallow on contract_divisions",
        ),
        (
            ours("AFTER INSERT OR UPDATE OR DELETE ON contract_divisions FOR EACH ROW EXECUTE FUNCTION drop_row()"),
            None,
            "the trigger contract_divisions_audit is another one",
        ),
        (
            ours("AFTER INSERT ON contract_divisions FOR EACH ROW EXECUTE FUNCTION esoz_audit()"),
            None,
            "the trigger contract_divisions_audit is another one",
        ),
        (
            ours("AFTER INSERT OR DELETE OR UPDATE OF is_active ON contract_divisions FOR EACH ROW EXECUTE FUNCTION esoz_audit()"),
            None,
            "the trigger contract_divisions_audit is another one",
        ),
        (
            ours("AFTER INSERT OR UPDATE OR DELETE ON contract_divisions FOR EACH ROW WHEN (false) EXECUTE FUNCTION esoz_audit()"),
            None,
            "the trigger contract_divisions_audit is another one",
        ),
    ] {
        test_db.store.ping().await.unwrap();
        test_db.admin(&sabotage);
        assert_told(&test_db, &sabotage, what).await;
        let restored = migrate(&PostgresSettings::new(&test_db.url)).await.unwrap().applied;
        match undo {
            Some(undo) => {
                assert!(restored.is_empty(), "{sabotage}: {restored:?}");
                test_db.admin(undo);
            }
            None => assert_eq!(restored, ["trigger contract_divisions_audit"], "{sabotage}"),
        }
    }
    test_db.store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_was_dropped_is_made_by_a_migration_and_one_that_was_turned_off_stays_off() {
    let test_db = fresh().await;
    let settings = PostgresSettings::new(&test_db.url);
    test_db.admin("DROP TRIGGER contract_divisions_audit ON contract_divisions");
    test_db.store.ping().await.unwrap_err();
    assert_eq!(migrate(&settings).await.unwrap().applied, ["trigger contract_divisions_audit"]);
    test_db.store.ping().await.unwrap();
    test_db.admin("ALTER TABLE contract_divisions DISABLE TRIGGER contract_divisions_audit");
    assert!(migrate(&settings).await.unwrap().applied.is_empty());
    test_db.store.ping().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_was_replaced_is_told_and_restored_by_a_migration() {
    let test_db = fresh().await;
    let settings = PostgresSettings::new(&test_db.url);
    let fixture = fixture(&test_db.store).await;
    for (name, sabotage) in [
        ("esoz_audit", format!("CREATE OR REPLACE FUNCTION esoz_audit() {NOTHING}")),
        ("esoz_audit", "ALTER FUNCTION esoz_audit() SECURITY INVOKER".to_owned()),
        ("esoz_audit", "ALTER FUNCTION esoz_audit() SET search_path = pg_temp, public".to_owned()),
        (
            "esoz_require_audit",
            "CREATE OR REPLACE FUNCTION esoz_require_audit() RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN true; END'"
                .to_owned(),
        ),
        (
            "esoz_require_writes",
            "CREATE OR REPLACE FUNCTION esoz_require_writes() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true'".to_owned(),
        ),
    ] {
        test_db.admin(&sabotage);
        assert_told(&test_db, &sabotage, &format!("the function {name} is another one")).await;
        let migrated = migrate(&settings).await.unwrap();
        assert_eq!(migrated.applied, [format!("function {name}")], "{sabotage}");
        test_db.store.ping().await.unwrap();
    }
    assert!(migrate(&settings).await.unwrap().applied.is_empty());
    applied(update(fixture.record.id, &fixture.to).apply(&test_db.store).await.unwrap());
    assert_eq!(audit_rows(&test_db, fixture.record.id), 2);
}

/// A newer program may have made it otherwise for a reason, and this one, still running beside it, is told elsewhere that it is older.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_of_a_newer_schema_is_not_judged_but_a_trigger_that_is_off_is_told() {
    let test_db = fresh().await;
    test_db.admin(&format!("CREATE OR REPLACE FUNCTION esoz_audit() {NOTHING}"));
    test_db.admin("CREATE TRIGGER more AFTER INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION esoz_audit()");
    test_db.store.ping().await.unwrap_err();
    test_db.admin("INSERT INTO __diesel_schema_migrations (version) VALUES ('900001')");
    test_db.store.ping().await.unwrap();
    test_db.admin("ALTER TABLE contract_divisions DISABLE TRIGGER contract_divisions_audit");
    let told = test_db.store.ping().await.unwrap_err().with_causes();
    assert!(told.contains("contract_divisions_audit is off or gone"), "{told}");
}
