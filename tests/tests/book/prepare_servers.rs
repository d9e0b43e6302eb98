//! The servers are prepared as the page says, by its own statements; then what the logins may do is tried.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use bson::{Bson, Document};
use esoz_test_servers::raw::admin_command;
use esoz_test_servers::{Durability, Kafka, MongoDb, Postgres};
use esoz_testkit::wait::{wait_for, wait_for_blocking};
use esoz_tests::DEADLINE;
use esoz_tests::process::program;
use tempfile::TempDir;
use tokio::runtime::Runtime;

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

/// Three servers that were prepared as the page says, and a shell in which `esoz serve` runs beside them as `$SERVER`.
pub(crate) struct Prepared {
    pub(crate) shell: Shell,
    pub(crate) postgres: Postgres,
    pub(crate) mongodb: MongoDb,
    pub(crate) kafka: Kafka,
    /// Names on a page, and what stands for them here.
    pub(crate) names: Vec<(&'static str, String)>,
    pub(crate) runtime: Runtime,
    /// In which the shell is, and where it finds programs.
    _folders: [TempDir; 2],
}

impl Prepared {
    /// Starts three empty servers and works through the page; gives how many outputs were compared as well.
    pub(crate) fn by_the_page() -> (Self, usize) {
        let postgres = Postgres::start(Durability::Off).unwrap();
        let (mongodb, kafka) = (MongoDb::start_empty().unwrap(), Kafka::start().unwrap());
        let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(program(), programs.path().join("esoz")).unwrap();
        for name in ["pg_dump", "pg_restore"] {
            symlink(postgres.programs().join(name), programs.path().join(name)).unwrap();
        }
        symlink(root().join("bin"), folder.path().join("bin")).unwrap();
        // Somebody else may have those ports here. Freed at once, and taken again by the page's server.
        let [free, metrics] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [free, metrics] = [free, metrics].map(|listener| listener.local_addr().unwrap().to_string());
        let mut shell = Shell::start(folder.path(), programs.path());
        // So many connections fit wherever the tests run, there is one broker, and a claim of the relay is soon over.
        shell.run(&format!(
            "export ESOZ_HTTP__BIND={free} ESOZ_HTTP__WORKERS=1 ESOZ_HTTP__MAX_CONNECTIONS=100 ESOZ_KAFKA__REPLICATION=1 \
             ESOZ_KAFKA__DELIVERY_TIMEOUT_MS=1000 ESOZ_EVENTS__LEASE_MS=7000"
        ));
        let names = vec![
            ("db.example:5432", format!("127.0.0.1:{}", postgres.port())),
            ("mongo.example:27017", format!("127.0.0.1:{}", mongodb.port())),
            ("kafka.example:9093", kafka.brokers().to_owned()),
            ("127.0.0.1:8080", free),
            ("127.0.0.1:9100", metrics),
        ];
        let runtime = Runtime::new().unwrap();
        let mut prepared =
            Self { shell, postgres, mongodb, kafka, names, runtime, _folders: [folder, programs] };
        let mut login = "";
        let compared = prepared.walk(&Page::of_book("how-to/prepare-servers.md"), |servers, block| {
            match block.language.as_str() {
                "sql" => servers.execute(&block.text),
                "js" => {
                    servers.tell_mongodb(login, &block.text);
                    login = "admin:admin-password@";
                }
                // Looked at elsewhere, or for tools that no test has.
                "toml" | "yaml" => {}
                "sh" if block.text.starts_with("kafka-") => {}
                _ => return false,
            }
            true
        });
        (prepared, compared)
    }

    /// Works through a page with the names of here; `is_elsewhere` as in [`walk`].
    pub(crate) fn walk(
        &mut self,
        page: &Page,
        mut is_elsewhere: impl FnMut(&mut Self, &Block) -> bool,
    ) -> usize {
        let names = self.names.clone();
        let names: Vec<(&str, &str)> = names.iter().map(|(name, here)| (*name, here.as_str())).collect();
        walk(page, self, &names, |servers, block| is_elsewhere(servers, block))
    }

    /// Executes statements as the superuser, each by itself, as soon as nobody is in its way.
    pub(crate) fn execute(&self, statements: &str) {
        for statement in statements.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
            wait_for_blocking(statement, DEADLINE, || {
                self.postgres.address().query(statement).map_err(|error| error.to_string())
            });
        }
    }

    /// Runs lines of MongoDB's shell, each once the server is ready for it, as a user: nobody, or `name:password@`.
    pub(crate) fn tell_mongodb(&self, login: &str, lines: &str) {
        let uri = format!("mongodb://{login}127.0.0.1:{}/?directConnection=true", self.mongodb.port());
        for line in lines.lines() {
            self.runtime.block_on(tell(&uri, line));
        }
    }

    /// Runs commands in the shell with the names of here, and gives what they print.
    pub(crate) fn run(&mut self, commands: &str) -> String {
        let commands =
            self.names.iter().fold(commands.to_owned(), |text, (name, here)| text.replace(name, here));
        self.shell.run(&commands)
    }
}

impl AsMut<Shell> for Prepared {
    fn as_mut(&mut self) -> &mut Shell {
        &mut self.shell
    }
}

#[test]
fn three_empty_servers_come_to_serve() {
    let (mut servers, compared) = Prepared::by_the_page();
    assert_eq!(compared, 4);
    let printed = servers.run(EVERY_RIGHT);
    assert!(looks_like(&printed, "\"code\":200\n\"new_value\":\"stopped\""), "{printed}");
    audit_is_out_of_reach(&servers.postgres);
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
