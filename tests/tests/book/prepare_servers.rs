//! The servers are prepared as the page says, by its own statements; then what the logins may do is tried.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use bson::{Bson, Document};
use esoz_test_servers::raw::admin_command;
use esoz_test_servers::{Durability, Kafka, MongoDb, Postgres};
use esoz_testkit::wait::wait_for;
use esoz_tests::DEADLINE;
use esoz_tests::process::program;

use crate::page::{Block, Page, root};
use crate::shell::{Shell, looks_like};
use crate::walkthrough::walk;

/// Records, a change and its event need every right that was granted: each line must succeed.
const EVERY_RIGHT: &str = r#"
esoz import --config esoz.toml bin/esoz/src/cli/demo_data.ndjson > imported
STOP=http://127.0.0.1:8080/api/patients/aff00bf6-68bf-4b49-b66d-f031d48922b3/device_dispenses/29dc859e-37fa-481d-8526-e95ac76036dd/actions/stop
curl -sS -X PATCH -H "Authorization: Bearer $(cat token)" $STOP | grep -o '"code":200'
until curl -sS -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8080/api/events | grep -o '"new_value":"stopped"'; do sleep 0.1; done
kill $SERVER
wait $SERVER
"#;

#[test]
fn three_empty_servers_come_to_serve() {
    let postgres = Postgres::start(Durability::Off).unwrap();
    let (mongodb, kafka) = (MongoDb::start_empty().unwrap(), Kafka::start().unwrap());
    let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(program(), programs.path().join("esoz")).unwrap();
    symlink(root().join("bin"), folder.path().join("bin")).unwrap();
    // Somebody else may have that port here. Freed at once, and taken again by the page's server.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let of_postgres = format!("127.0.0.1:{}", postgres.port());
    let of_mongodb = format!("127.0.0.1:{}", mongodb.port());
    let names = [
        ("db.example:5432", of_postgres.as_str()),
        ("mongo.example:27017", &of_mongodb),
        ("kafka.example:9093", kafka.brokers()),
        ("127.0.0.1:8080", &free),
    ];
    let mut shell = Shell::start(folder.path(), programs.path());
    // So many connections fit wherever the tests run, and there is one broker.
    shell.run(&format!(
        "export ESOZ_HTTP__BIND={free} ESOZ_HTTP__WORKERS=1 ESOZ_HTTP__MAX_CONNECTIONS=100 ESOZ_KAFKA__REPLICATION=1"
    ));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut login = String::new();
    let page = Page::of_book("how-to/prepare-servers.md");
    let compared = walk(&page, &mut shell, &names, |Block { language, text }| {
        match language.as_str() {
            "sql" => execute(&postgres, text),
            "js" => runtime.block_on(async {
                for line in text.lines() {
                    tell(&format!("mongodb://{login}{of_mongodb}/?directConnection=true"), line).await;
                }
                login = String::from("admin:admin-password@");
            }),
            // Looked at elsewhere, or for tools that no test has.
            "toml" | "yaml" => {}
            "sh" if text.starts_with("kafka-") => {}
            _ => return false,
        }
        true
    });
    assert_eq!(compared, 4);
    let done = EVERY_RIGHT.replace("127.0.0.1:8080", &free);
    let printed = shell.run(&done);
    assert!(looks_like(&printed, "\"code\":200\n\"new_value\":\"stopped\""), "{printed}");
    audit_is_out_of_reach(&postgres);
}

/// Executes statements as the superuser, each by itself.
fn execute(postgres: &Postgres, statements: &str) {
    for statement in statements.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        postgres.address().query(statement).unwrap();
    }
}

/// Runs a line of MongoDB's shell, once the server is ready for it.
async fn tell(uri: &str, line: &str) {
    let command = line.strip_prefix("db.adminCommand(").and_then(|line| line.strip_suffix(')')).unwrap();
    let command: serde_json::Value = serde_json::from_str(command).unwrap();
    let command: Document = Bson::try_from(command).unwrap().as_document().unwrap().clone();
    wait_for("MongoDB's consent", DEADLINE, async || admin_command(uri, command.clone()).await).await;
}

/// Neither deleting nor changing what was audited is granted to the service's login, whatever role it takes.
fn audit_is_out_of_reach(postgres: &Postgres) {
    let service = format!("postgres://esoz_app@127.0.0.1:{}/esoz", postgres.port());
    let query = |sql: &str| postgres.address().query_in(&service, sql);
    query("SELECT count(*) FROM audit_log").unwrap();
    for forbidden in [
        "DELETE FROM audit_log",
        "UPDATE audit_log SET action = 'INSERT'",
        "DELETE FROM contract_divisions",
        "ALTER TABLE contract_divisions DISABLE TRIGGER ALL",
        "SET ROLE esoz_owner",
        "CREATE TABLE of_others (id int)",
    ] {
        query(forbidden).unwrap_err();
    }
}
