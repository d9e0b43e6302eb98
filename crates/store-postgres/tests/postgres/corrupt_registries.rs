//! Registries whose rows hold what the checks keep out.

use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord, Registries as _, Registry,
};
use esoz_store_postgres::PostgresStore;
use esoz_testkit::registries::RegistryFixture;
use tokio_postgres::error::SqlState;

use super::support::{TestDatabase, fresh};

async fn filled() -> (TestDatabase, RegistryFixture) {
    let (test_db, fixture) = (fresh().await, RegistryFixture::build());
    fixture.store(&test_db.store, &test_db.store, &test_db.store).await;
    (test_db, fixture)
}

/// The error of the only record of a table.
async fn scan_error(store: &PostgresStore, table: &str) -> StoreError {
    async fn only<R: std::fmt::Debug>(store: &PostgresStore) -> StoreError
    where
        PostgresStore: Registry<R>,
    {
        store.scan(None, 10).await.unwrap().records.remove(0).unwrap_err()
    }
    match table {
        "persons" => only::<PersonRecord>(store).await,
        "parties" => only::<PartyRecord>(store).await,
        "employees" => only::<EmployeeRecord>(store).await,
        "medical_programs" => only::<MedicalProgramRecord>(store).await,
        "device_definitions" => only::<DeviceDefinitionRecord>(store).await,
        _ => only::<ProgramDeviceRecord>(store).await,
    }
}

fn assert_corrupt(error: &StoreError, told: &[&str], fixture: &RegistryFixture) {
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    for word in told {
        assert!(error.to_string().contains(word), "{error} does not name {word}");
    }
    let shown = error.with_causes();
    assert!(!shown.contains("canary") && !shown.contains(fixture.person.subject.expose()), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_value_that_cannot_be_then_facts_and_scans_name_it() {
    for (table, column, value) in [
        ("persons", "status", "canary"),
        ("persons", "verification_status", "canary"),
        ("parties", "tax_id_digest", "canary"),
        ("employees", "end_date", "infinity"),
        ("device_definitions", "packaging_count", "NaN"),
        ("program_devices", "start_date", "-infinity"),
        ("program_devices", "end_date", "10000-01-01"),
        ("program_devices", "reimbursement_type", "canary"),
        ("program_devices", "reimbursement_amount", "Infinity"),
        ("program_devices", "max_daily_count", "1e31"),
        ("divisions", "status", "canary"),
    ] {
        let (test_db, fixture) = filled().await;
        test_db.admin(&format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_{column}"));
        test_db.admin("ALTER TABLE program_devices DROP CONSTRAINT program_devices_reimbursement");
        test_db.admin(&format!("UPDATE {table} SET {column} = '{value}'"));
        let id = match table {
            "persons" => "(its pseudonym is not shown)".to_owned(),
            "parties" => fixture.party.facts.id.to_string(),
            "employees" => fixture.employee.facts.id.to_string(),
            "device_definitions" => fixture.definition.facts.id.to_string(),
            "divisions" => fixture.division.facts.id.to_string(),
            _ => fixture.device.facts.id.to_string(),
        };
        let error = test_db.store.facts(&fixture.query()).await.unwrap_err();
        assert_corrupt(&error, &[table, &id, column], &fixture);
        if table != "divisions" {
            assert_corrupt(&scan_error(&test_db.store, table).await, &[table, &id, column], &fixture);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_time_that_no_answer_can_say_then_scans_name_it_and_facts_are_told() {
    for table in ["persons", "medical_programs"] {
        let (test_db, fixture) = filled().await;
        test_db.admin(&format!("UPDATE {table} SET updated_at = 'infinity'"));
        assert_corrupt(&scan_error(&test_db.store, table).await, &[table, "updated_at"], &fixture);
        test_db.store.facts(&fixture.query()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_the_usual_checks_then_none_of_that_gets_in() {
    let (test_db, _) = filled().await;
    let owner = test_db.session().await;
    for (table, change) in [
        ("persons", "status = 'ACTIVE'"),
        ("persons", "verification_status = 'verified'"),
        ("parties", "tax_id_digest = '1234567890'"),
        ("device_definitions", "packaging_count = 0"),
        ("device_definitions", "packaging_count = 'NaN'"),
        ("device_definitions", "packaging_count = 'Infinity'"),
        ("program_devices", "reimbursement_type = 'PERCENTAGE'"),
        ("program_devices", "reimbursement_percentage = 5"),
        ("program_devices", "reimbursement_amount = NULL"),
        ("program_devices", "reimbursement_amount = -0.01"),
        ("program_devices", "reimbursement_amount = 'NaN'"),
        (
            "program_devices",
            "reimbursement_type = 'PERCENTAGE', reimbursement_amount = NULL, reimbursement_percentage = 'NaN'",
        ),
        ("program_devices", "max_daily_count = 0"),
    ] {
        let refused = owner.batch_execute(&format!("UPDATE {table} SET {change}")).await.expect_err(change);
        assert_eq!(refused.code(), Some(&SqlState::CHECK_VIOLATION), "{change}");
    }
}

/// Who works as the service may change parties, and so their users, but not the users alone.
#[tokio::test(flavor = "multi_thread")]
async fn given_the_services_role_then_the_trigger_alone_writes_the_users_of_parties() {
    let (test_db, fixture) = filled().await;
    let service = test_db.session().await;
    service.batch_execute("SET ROLE esoz_service").await.unwrap();
    for sql in [
        "INSERT INTO party_users SELECT gen_random_uuid(), id FROM parties",
        "UPDATE party_users SET user_id = gen_random_uuid()",
        "DELETE FROM party_users",
        "DELETE FROM parties",
        "TRUNCATE parties CASCADE",
        "ALTER TABLE parties DISABLE TRIGGER parties_users",
    ] {
        let refused = service.batch_execute(sql).await.expect_err(sql);
        assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {refused:?}");
    }
    service.batch_execute("UPDATE parties SET users = '{}'").await.unwrap();
    assert_eq!(test_db.store.party(fixture.user).await.unwrap(), None);
}
