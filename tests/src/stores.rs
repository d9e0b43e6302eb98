//! Fresh stores of one kind, and a way to look at them past their adapters.

use std::path::Path;
use std::sync::Arc;

use esoz_test_servers::raw::{KafkaTopic, MongoDocuments, PostgresAudit, SqliteFile};
use esoz_test_servers::{Authority, Issued, PostgresAddress, scratch, shared};
use esoz_testkit::contract::{Audit, Delivered, RawDispenses};
use tempfile::TempDir;

use crate::process::esoz;

/// On which stores a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The embedded store and its log.
    Sqlite,
    /// Real PostgreSQL, MongoDB and Kafka.
    Servers,
}

/// Stores that no other test sees.
pub struct TestStores {
    variables: Vec<(String, String)>,
    raw: Arc<dyn RawDispenses>,
    audit: Arc<dyn Audit>,
    delivered: Arc<dyn Delivered>,
    topic: Option<Arc<KafkaTopic>>,
    documents: Option<Arc<MongoDocuments>>,
    file: Option<Arc<SqliteFile>>,
    database: Option<Arc<PostgresAudit>>,
    _folder: Option<TempDir>,
    _shared: Option<SharedDatabase>,
}

/// A database on the shared PostgreSQL, by its URL. Dropped with its test, unless that is failing: it is larger than all that a test stores in it.
struct SharedDatabase(String);

impl Drop for SharedDatabase {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // What stays takes some room until the server ends.
            let _ = shared::postgres().drop_database(&self.0);
        }
    }
}

/// Where the servers are.
pub struct Addresses<'a> {
    /// PostgreSQL.
    pub postgres: &'a PostgresAddress,
    /// An empty database on it.
    pub postgres_url: &'a str,
    /// MongoDB.
    pub mongodb: &'a str,
    /// Kafka.
    pub kafka: &'a str,
    /// The authority that it is trusted by, and the certificate that it is shown, if it takes TLS alone.
    pub kafka_tls: Option<(&'a Authority, &'a Issued)>,
    /// Further variables of the program, e.g. how it reaches them; they take the place of others.
    pub variables: &'a [(String, String)],
}

impl<'a> Addresses<'a> {
    /// Servers that take us as we come.
    pub const fn new(
        postgres: &'a PostgresAddress,
        postgres_url: &'a str,
        mongodb: &'a str,
        kafka: &'a str,
    ) -> Self {
        Self { postgres, postgres_url, mongodb, kafka, kafka_tls: None, variables: &[] }
    }
}

/// Time-outs of the embedded store: longer than a client should wait, since many tests share a disk and processors that may be busy. A test
/// about time-outs sets its own.
const SQLITE_TIMEOUTS: [(&str, &str); 2] =
    [("ESOZ_SQLITE__BUSY_TIMEOUT_MS", "25000"), ("ESOZ_SQLITE__READ_TIMEOUT_MS", "25000")];

/// Time-outs of the servers; likewise.
const SERVER_TIMEOUTS: [(&str, &str); 6] = [
    ("ESOZ_POSTGRES__CONNECT_TIMEOUT_MS", "10000"),
    ("ESOZ_POSTGRES__POOL_WAIT_TIMEOUT_MS", "25000"),
    ("ESOZ_POSTGRES__STATEMENT_TIMEOUT_MS", "25000"),
    ("ESOZ_POSTGRES__LOCK_TIMEOUT_MS", "20000"),
    ("ESOZ_MONGODB__CONNECT_TIMEOUT_MS", "10000"),
    ("ESOZ_MONGODB__OPERATION_TIMEOUT_MS", "25000"),
];

impl TestStores {
    /// Fresh, migrated stores.
    pub async fn fresh(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::sqlite(),
            Kind::Servers => {
                let postgres = shared::postgres();
                let postgres_url = &postgres.create_database().unwrap();
                let (mongodb, kafka) = (shared::mongodb().uri(), shared::kafka().brokers());
                // By TLS and with a certificate, so that every case that runs on servers is one of a managed database too.
                let tls = postgres.over_tls(postgres_url);
                let variables = tls.map(|tls| {
                    let path = |path: &Path| path.display().to_string();
                    [
                        ("ESOZ_POSTGRES__URL", tls.url.clone()),
                        ("ESOZ_POSTGRES__ROOT_CERTIFICATE_FILE", path(&tls.root_file)),
                        ("ESOZ_POSTGRES__CLIENT_CERTIFICATE_FILE", path(&tls.certificate)),
                        ("ESOZ_POSTGRES__CLIENT_PRIVATE_KEY_FILE", path(&tls.private_key)),
                    ]
                    .map(|(name, value)| variable(name, &value))
                });
                let variables = variables.as_ref().map_or(&[][..], |variables| variables);
                let plain = Addresses::new(postgres, postgres_url, mongodb, kafka);
                let stores = Self::on(&Addresses { variables, ..plain }).await;
                Self { _shared: Some(SharedDatabase(postgres_url.clone())), ..stores }
            }
        }
    }

    fn sqlite() -> Self {
        let folder = scratch::tempdir().unwrap();
        let path = folder.path().join("esoz.sqlite");
        let file = Arc::new(SqliteFile::new(&path));
        let mut variables = vec![variable("ESOZ_SQLITE__PATH", path.to_str().unwrap())];
        variables.extend(SQLITE_TIMEOUTS.map(|(name, value)| variable(name, value)));
        Self {
            variables,
            raw: file.clone(),
            audit: file.clone(),
            delivered: file.clone(),
            topic: None,
            documents: None,
            file: Some(file),
            database: None,
            _folder: Some(folder),
            _shared: None,
        }
    }

    /// A fresh SQLite file, with events that go to a broker.
    pub fn sqlite_with_kafka(brokers: &str) -> Self {
        let topic = fresh_name();
        let mut stores = Self::sqlite();
        stores.variables.extend([
            variable("ESOZ_EVENTS__BUS", "kafka"),
            variable("ESOZ_EVENTS__TOPIC", &topic),
            variable("ESOZ_EVENTS__GROUP", &topic),
            variable("ESOZ_KAFKA__BROKERS", brokers),
        ]);
        let topic = Arc::new(KafkaTopic::new(brokers, &topic));
        stores.delivered = topic.clone();
        stores.topic = Some(topic);
        esoz(&stores.variables, &["migrate"]).assert_success();
        stores
    }

    /// Fresh stores on those servers.
    pub async fn on(servers: &Addresses<'_>) -> Self {
        let name = fresh_name();
        let mut variables = vec![
            variable("ESOZ_STORE__KIND", "servers"),
            variable("ESOZ_POSTGRES__URL", servers.postgres_url),
            variable("ESOZ_POSTGRES__MAX_CONNECTIONS", "8"),
            variable("ESOZ_MONGODB__URI", servers.mongodb),
            variable("ESOZ_MONGODB__DATABASE", &name),
            variable("ESOZ_KAFKA__BROKERS", servers.kafka),
            variable("ESOZ_EVENTS__TOPIC", &name),
            variable("ESOZ_EVENTS__GROUP", &name),
        ];
        variables.extend(SERVER_TIMEOUTS.map(|(name, value)| variable(name, value)));
        variables.retain(|(name, _)| servers.variables.iter().all(|(other, _)| other != name));
        variables.extend_from_slice(servers.variables);
        let topic = KafkaTopic::new(servers.kafka, &name);
        let topic = Arc::new(match servers.kafka_tls {
            Some((authority, shown)) => topic.over_tls(&authority.root_file(), shown),
            None => topic,
        });
        let documents = Arc::new(MongoDocuments::new(servers.mongodb, &name).await);
        let database = Arc::new(PostgresAudit::new(servers.postgres, servers.postgres_url));
        let stores = Self {
            variables,
            raw: documents.clone(),
            audit: database.clone(),
            delivered: topic.clone(),
            topic: Some(topic),
            documents: Some(documents),
            file: None,
            database: Some(database),
            _folder: None,
            _shared: None,
        };
        esoz(&stores.variables, &["migrate"]).assert_success();
        stores
    }

    /// What a server needs in its environment to find these stores.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// The documents of MongoDB, if that is where they are.
    pub fn documents(&self) -> Option<&MongoDocuments> {
        self.documents.as_deref()
    }

    /// The SQLite file, if everything is there.
    pub fn file(&self) -> Option<&SqliteFile> {
        self.file.as_deref()
    }

    /// The PostgreSQL database, if there is one.
    pub fn database(&self) -> Option<&PostgresAudit> {
        self.database.as_deref()
    }

    /// Past the dispense port.
    pub fn raw(&self) -> &dyn RawDispenses {
        self.raw.as_ref()
    }

    /// Everything that is stored, row by row and document by document, and everything that was delivered, past the adapters: the same
    /// before and after means that nothing was written.
    pub async fn contents(&self) -> Vec<String> {
        let mut contents = self.file.as_ref().map(|file| file.dump()).unwrap_or_default();
        contents.extend(self.database.iter().flat_map(|database| database.dump()));
        if let Some(documents) = &self.documents {
            contents.extend(documents.dump().await);
        }
        contents.extend(self.delivered.messages().await.iter().map(|message| format!("{message:?}")));
        // Messages of different keys come in any order.
        contents.sort_unstable();
        contents
    }

    /// What the audit trigger wrote.
    pub fn audit(&self) -> &dyn Audit {
        self.audit.as_ref()
    }

    /// The topic, if events go to Kafka.
    pub fn topic(&self) -> Option<&KafkaTopic> {
        self.topic.as_deref()
    }

    /// What consumers see.
    pub fn delivered(&self) -> &dyn Delivered {
        self.delivered.as_ref()
    }
}

/// A name for a database or a topic that no other test uses.
fn fresh_name() -> String {
    format!("esoz_{}", esoz_testkit::builders::fresh().simple())
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
