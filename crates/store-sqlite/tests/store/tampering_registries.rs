//! What the checks of the registries' tables keep out was put in all the same: it is reported by table, id and column.

use diesel::connection::SimpleConnection as _;
use esoz_kernel::{Put, StoreError};
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord, Registries as _, Registry, RegistryQuery,
};
use esoz_store_sqlite::SqliteStore;
use esoz_testkit::builders::{party_of, user};
use esoz_testkit::registries::RegistryFixture;

use crate::common::fresh;
use crate::shell;
use crate::tampering::{assert_corrupt, tamper};

async fn create<R>(store: &SqliteStore, record: R)
where
    SqliteStore: Registry<R>,
{
    assert_eq!(store.put(&[record]).await.unwrap(), [Put::Created]);
}

/// One record of each kind; returns the query that names them all, and the ids of the records by table.
async fn fill(store: &SqliteStore) -> (RegistryQuery, [(&'static str, String); 7]) {
    let fixture = RegistryFixture::build();
    fixture.store(store, store, store).await;
    let ids = [
        ("persons", "(hidden)".to_owned()),
        ("parties", fixture.party.facts.id.to_string()),
        ("employees", fixture.employee.facts.id.to_string()),
        ("medical_programs", fixture.program.id.to_string()),
        ("device_definitions", fixture.definition.facts.id.to_string()),
        ("program_devices", fixture.device.facts.id.to_string()),
        ("divisions", fixture.division.facts.id.to_string()),
    ];
    (fixture.query(), ids)
}

/// The error of the only record of a table.
async fn scan_error(store: &SqliteStore, table: &str) -> StoreError {
    async fn only<R: std::fmt::Debug>(store: &SqliteStore) -> StoreError
    where
        SqliteStore: Registry<R>,
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

#[tokio::test(flavor = "multi_thread")]
async fn given_a_value_that_cannot_be_then_facts_and_scans_name_it() {
    for (table, column, value) in [
        ("persons", "status", "canary"),
        ("persons", "verification_status", "canary"),
        ("parties", "tax_id_digest", "canary"),
        ("employees", "end_date", "canary"),
        ("device_definitions", "packaging_count", "canary"),
        ("program_devices", "start_date", "canary"),
        ("program_devices", "end_date", "canary"),
        ("program_devices", "reimbursement_type", "canary"),
        ("program_devices", "reimbursement_type", "PERCENTAGE"),
        ("program_devices", "reimbursement_amount", "1canary"),
        ("program_devices", "reimbursement_percentage", "1"),
        ("program_devices", "max_daily_count", "1e99"),
        ("divisions", "status", "canary"),
    ] {
        let fresh = fresh();
        let (query, ids) = fill(&fresh.store).await;
        tamper(&fresh, &format!("UPDATE {table} SET {column} = '{value}'"));
        let (_, id) = ids.iter().find(|(of, _)| *of == table).unwrap();
        let named = if column == "reimbursement_percentage" { "reimbursement_type" } else { column };
        let mut errors = vec![fresh.store.facts(&query).await.unwrap_err()];
        if table != "divisions" {
            errors.push(scan_error(&fresh.store, table).await);
        }
        for error in errors {
            assert_corrupt(&error, &[table, id, named]);
            let told = error.with_causes();
            assert!(!told.contains("canary") && !told.contains(query.subject.expose()), "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_what_only_an_export_reads_cannot_be_then_scans_name_it_and_facts_are_told() {
    for (table, column, value) in [
        ("persons", "inserted_at", "canary"),
        ("parties", "users", "[7]"),
        ("parties", "users", "[\"canary\"]"),
        ("employees", "updated_by", "canary"),
        ("medical_programs", "updated_at", "canary"),
    ] {
        let fresh = fresh();
        let (query, ids) = fill(&fresh.store).await;
        tamper(&fresh, &format!("UPDATE {table} SET {column} = '{value}'"));
        let (_, id) = ids.iter().find(|(of, _)| *of == table).unwrap();
        let error = scan_error(&fresh.store, table).await;
        assert_corrupt(&error, &[table, id, column]);
        assert!(!error.with_causes().contains("canary"), "{error}");
        fresh.store.facts(&query).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_the_usual_checks_then_none_of_that_gets_in() {
    let fresh = fresh();
    fill(&fresh.store).await;
    let mut shell = shell(&fresh.settings.path);
    for (table, change) in [
        ("persons", "status = 'ACTIVE'"),
        ("persons", "verification_status = 'verified'"),
        ("parties", "tax_id_digest = '1234567890'"),
        ("parties", "users = '{}'"),
        ("device_definitions", "packaging_count = '0'"),
        ("device_definitions", "packaging_count = '-1'"),
        ("device_definitions", "packaging_count = 'canary'"),
        ("program_devices", "reimbursement_type = 'PERCENTAGE'"),
        ("program_devices", "reimbursement_percentage = '5'"),
        ("program_devices", "reimbursement_amount = NULL"),
        ("program_devices", "reimbursement_amount = '-0.01'"),
        (
            "program_devices",
            "reimbursement_type = 'PERCENTAGE', reimbursement_amount = NULL, reimbursement_percentage = '100.01'",
        ),
        ("program_devices", "max_daily_count = '0'"),
    ] {
        shell.batch_execute(&format!("UPDATE {table} SET {change}")).expect_err(change);
    }
}

/// A party that is removed by hand takes its users along.
#[tokio::test(flavor = "multi_thread")]
async fn given_a_party_that_is_removed_then_its_users_are_free() {
    let fresh = fresh();
    let party = party_of([user()]);
    create(&fresh.store, party.clone()).await;
    let mut shell = shell(&fresh.settings.path);
    shell.batch_execute("PRAGMA foreign_keys = ON; DELETE FROM parties").unwrap();
    create(&fresh.store, party_of(party.users)).await;
}
