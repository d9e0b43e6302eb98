//! What is measured on: servers of the bench's own (or those of a test run), fresh stores, and what has to be in them.

mod bulk;
mod import;
mod load;
mod load_documents;
mod load_rows;
mod people;
mod server;
mod servers;
mod topic;
mod writes;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub use bulk::Rows;
pub use import::Order;
use people::People;
pub use server::Server;
use server::succeed;
pub use servers::{Servers, Venue, Whose};
pub use topic::Topic;
use writes::Writes;

use crate::job::{Statements, StopWork, UpdateWork, Way};

/// A database that carries out a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// Device dispenses, in the service.
    Mongodb,
    /// Contract divisions, in the service.
    Postgres,
    /// Both, in the embedded form.
    Sqlite,
}

impl Store {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mongodb => "MongoDB",
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// What becomes of events while something else is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// They stay in the outbox: no broker answers, and the relay asks once an hour. What is measured is the request alone, as it is where
    /// the databases are driven directly.
    Stay,
    /// The relay delivers them, as in production.
    Go,
}

/// Where nobody listens.
const NO_BROKER: &str = "127.0.0.1:1";

/// Fresh stores with a few people in them.
pub struct Stage {
    folder: TempDir,
    program: PathBuf,
    servers: Option<Arc<Servers>>,
    /// The PostgreSQL database, where there is one.
    postgres: String,
    variables: Vec<(String, String)>,
    people: People,
    /// What creates and completes take, where they can be made.
    writes: Option<Writes>,
    runtime: Runtime,
}

impl Stage {
    /// Fresh stores for that database's work.
    pub fn new(store: Store, program: &Path, venue: &Venue) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("esoz-bench-").tempdir().context("making a folder")?;
        let servers = if store == Store::Sqlite { None } else { Some(venue.servers()?) };
        let mut postgres = String::new();
        let mut variables = vec![variable("ESOZ_PATIENT__KEY", people::PATIENT_KEY)];
        if let Some(servers) = &servers {
            postgres = servers.create_database()?;
            variables.extend([
                variable("ESOZ_STORE__KIND", "servers"),
                variable("ESOZ_POSTGRES__URL", &postgres),
                variable("ESOZ_MONGODB__URI", servers.mongodb()),
                variable("ESOZ_MONGODB__DATABASE", &database(&folder)),
                variable("ESOZ_KAFKA__BROKERS", servers.kafka()),
                variable("ESOZ_EVENTS__TOPIC", &database(&folder)),
            ]);
        } else {
            let path = folder.path().join("esoz.sqlite");
            variables.push(variable("ESOZ_SQLITE__PATH", path.to_str().context("a folder that is no text")?));
        }
        succeed(program, &variables, &["migrate"], "")?;
        let runtime = Runtime::new().context("starting a runtime")?;
        let people = People::settle(program, &variables)?;
        let program = program.to_path_buf();
        Ok(Self { folder, program, servers, postgres, variables, people, writes: None, runtime })
    }

    /// Starts a server on these stores.
    pub fn serve(&self, events: Events) -> Result<Server> {
        Server::start(&self.program, &self.variables(events), self.folder.path(), Server::ANY_PORT)
    }

    /// What a server on these stores has in its environment.
    pub fn variables(&self, events: Events) -> Vec<(String, String)> {
        let mut variables = self.variables.clone();
        if events == Events::Stay {
            variables.extend([
                variable("ESOZ_EVENTS__BUS", "kafka"),
                variable("ESOZ_KAFKA__BROKERS", NO_BROKER),
                variable("ESOZ_KAFKA__DELIVERY_TIMEOUT_MS", "100"),
                variable("ESOZ_EVENTS__MAX_ENTITIES", "1"),
                variable("ESOZ_EVENTS__BACKOFF_FIRST_MS", "3600000"),
                variable("ESOZ_EVENTS__BACKOFF_LONGEST_MS", "3600000"),
            ]);
        }
        variables
    }

    /// The stop of the dispenses with these numbers.
    pub fn stop_work(&self, base: u64, dispenses: u64) -> StopWork {
        self.people.stop_work(base, dispenses)
    }

    /// The update of the contract divisions that are there.
    pub fn update_work(&self, records: u64) -> UpdateWork {
        UpdateWork { records, user: self.people.user }
    }

    /// By a request to that server.
    pub fn over_http(&self, server: &Server) -> Way {
        let People { token, api_key, .. } = &self.people;
        Way::Http { address: server.address(), token: token.clone(), api_key: api_key.clone() }
    }

    /// Straight to the database, with up to so many requests in one commit; PostgreSQL by such statements.
    pub fn directly(&self, store: Store, together: usize, by: Statements) -> Result<Way> {
        Ok(match store {
            Store::Sqlite => Way::Sqlite { path: self.file(), together },
            Store::Postgres => Way::Postgres { url: self.postgres.clone(), by },
            Store::Mongodb => {
                let servers = self.servers.as_ref().context("this stage has no MongoDB")?;
                Way::Mongodb { uri: servers.mongodb().to_owned(), database: database(&self.folder), together }
            }
        })
    }

    /// The servers, where there are any.
    pub fn servers(&self) -> Option<&Servers> {
        self.servers.as_deref()
    }

    /// A token that may ask for either method.
    pub fn token(&self) -> &str {
        &self.people.token
    }

    /// Where the files of this stage are, those of its servers excepted, which are beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("esoz.sqlite")
    }
}

/// What a server has in its environment whose stores are nowhere.
pub fn nowhere() -> Vec<(String, String)> {
    vec![
        variable("ESOZ_PATIENT__KEY", people::PATIENT_KEY),
        variable("ESOZ_STORE__KIND", "servers"),
        variable("ESOZ_POSTGRES__URL", "postgres://nobody@127.0.0.1:1/nothing"),
        variable("ESOZ_MONGODB__URI", "mongodb://127.0.0.1:1/?directConnection=true"),
        variable("ESOZ_KAFKA__BROKERS", NO_BROKER),
    ]
}

/// A name for a database or a topic that nobody else uses.
fn database(folder: &TempDir) -> String {
    let name = folder.path().file_name().unwrap_or_default().to_string_lossy();
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
