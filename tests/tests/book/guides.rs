//! What the guides tell to do, done.

use std::process::Command;

use esoz_auth::Scope;
use esoz_test_servers::shared;
use esoz_tests::{Addresses, Kind, Setup, StopFixture, TestApp, TestStores, UpdateFixture};

use crate::page::Page;

#[tokio::test(flavor = "multi_thread")]
async fn the_client_follows_a_dispense_from_its_list_to_its_event() {
    let app = TestApp::new(Kind::Sqlite).await;
    let fixture = StopFixture::load(&app).await;
    let scope = Scope::parse("device_dispense:read device_dispense:stop event:read");
    let token = fixture.issue(&app, |token| token.scope = scope).await;
    let folder = tempfile::tempdir().unwrap();
    let client = folder.path().join("client.py");
    std::fs::write(&client, Page::of_book("how-to/write-a-client.md").only_block("python")).unwrap();
    let run = |token: &str| {
        let mut command = Command::new("python3");
        command.arg(&client).args([app.base(), token]);
        command.args([fixture.patient.uuid().to_string(), fixture.dispense.id.to_string()]);
        let output = command.output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (_, _, complaint) = run("no token of ours");
    assert!(complaint.contains("Invalid access token"), "{complaint}");
    let (is_done, printed, complaint) = run(token.expose());
    assert!(is_done, "{complaint}");
    assert_eq!(printed, "1 in progress\nstopped\nthe event is there\n");
    let (_, _, complaint) = run(token.expose());
    assert!(complaint.contains("Device dispense in status stopped cannot be stopped"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_read() {
    let app = TestApp::new(Kind::Servers).await;
    let fixture = UpdateFixture::load(&app).await;
    assert_eq!(fixture.update(&app).await.status, 200);
    let database = app.test_stores.database().unwrap();
    let page = Page::of_book("how-to/audit.md");
    let (record, user) = (fixture.record.id.to_string(), fixture.stored_token.user_id.to_string());
    let named = |query: &str| {
        query
            .replace("07ba637c-15d8-46fb-8304-c738a54e14bb", &record)
            .replace("5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01", &user)
    };
    let answers: Vec<String> =
        page.blocks_of("sql").into_iter().map(|query| database.execute(&named(query))).collect();
    let [history, of_user, columns, size, removed] = &answers[..] else { panic!("five: {answers:?}") };
    assert!(history.find("INSERT").unwrap() < history.find("UPDATE").unwrap(), "{history}");
    assert!(of_user.contains(&record) && !of_user.contains("INSERT"), "{of_user}");
    assert!(columns.contains(&fixture.divisions[1].facts.id.to_string()), "{columns}");
    assert!(!columns.contains(&fixture.divisions[0].facts.id.to_string()), "{columns}");
    assert!(size.contains("kB") && removed.is_empty(), "{size} {removed}");
}

/// Tables as another program may have made them: with columns that esoz does not know, and other types of text.
const TABLES_OF_OTHERS: &str = "
    CREATE TABLE legal_entities (id uuid PRIMARY KEY, name varchar(255) NOT NULL, edrpou varchar(20) NOT NULL,
        type varchar(50) NOT NULL, status varchar(50) NOT NULL, is_active boolean NOT NULL,
        inserted_at timestamptz NOT NULL, inserted_by uuid NOT NULL, updated_at timestamptz NOT NULL, updated_by uuid NOT NULL,
        beneficiary text);
    CREATE TABLE divisions (id uuid PRIMARY KEY, legal_entity_id uuid NOT NULL REFERENCES legal_entities (id),
        name varchar(255) NOT NULL, type varchar(50) NOT NULL, status varchar(50) NOT NULL, is_active boolean NOT NULL,
        dls_verified boolean, phones jsonb,
        inserted_at timestamptz NOT NULL, inserted_by uuid NOT NULL, updated_at timestamptz NOT NULL, updated_by uuid NOT NULL);
    CREATE TABLE contracts (id uuid PRIMARY KEY, type varchar(50) NOT NULL, status varchar(50) NOT NULL,
        contract_number varchar(100) NOT NULL, contractor_legal_entity_id uuid NOT NULL REFERENCES legal_entities (id),
        start_date date NOT NULL, end_date date NOT NULL, is_active boolean NOT NULL, is_suspended boolean NOT NULL,
        inserted_at timestamptz NOT NULL, inserted_by uuid NOT NULL, updated_at timestamptz NOT NULL, updated_by uuid NOT NULL);
    CREATE TABLE contract_divisions (id uuid PRIMARY KEY, contract_id uuid NOT NULL REFERENCES contracts (id),
        division_id uuid NOT NULL REFERENCES divisions (id), is_active boolean NOT NULL,
        inserted_at timestamptz NOT NULL, inserted_by uuid NOT NULL, updated_at timestamptz NOT NULL, updated_by uuid NOT NULL)";

#[tokio::test(flavor = "multi_thread")]
async fn it_is_attached_to_tables_that_are_there() {
    let postgres = shared::postgres();
    let postgres_url = &postgres.create_database().unwrap();
    let run = |sql: &str| postgres.query_in(postgres_url, sql).unwrap();
    run(TABLES_OF_OTHERS);
    let (mongodb, kafka) = (shared::mongodb().uri(), shared::kafka().brokers());

    let page = Page::of_book("how-to/attach.md");
    let [before, after] = page.blocks_of("sql")[..] else { panic!("two steps") };
    run(before);
    let stores = TestStores::on(&Addresses::new(postgres, postgres_url, mongodb, kafka)).await;
    run(after);

    let app = Setup::new(Kind::Servers).start_on(stores).await;
    let fixture = UpdateFixture::load(&app).await;
    assert_eq!(fixture.update(&app).await.status, 200);
    let audited: Vec<String> =
        app.audit().rows(fixture.record.id).await.into_iter().map(|row| row.action).collect();
    assert_eq!(audited, ["INSERT", "UPDATE"]);
}
