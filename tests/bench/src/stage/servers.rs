//! PostgreSQL, MongoDB and a Kafka broker: started for the bench, of the size they would have at work, or those of a test run.

use std::cell::OnceCell;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use esoz_test_servers::{
    Durability, Kafka, KafkaAddress, MongoAddress, MongoDb, MongoSize, Postgres, PostgresAddress, shared,
};

/// Whose servers are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The bench's own: each commit reaches the disk.
    Own,
    /// Those that tests share, which need not wait for the disk: to see that the bench works, not how fast anything is.
    OfTests,
}

/// What PostgreSQL gets beyond its defaults, as any that serves something would.
const POSTGRES: [&str; 3] = ["shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min"];

const MONGODB: MongoSize = MongoSize { cache_gb: 4.0, oplog_mb: 2_048 };

/// Where all is measured: the servers are started when the first stage wants them, and are the same for all.
pub struct Venue {
    whose: Whose,
    servers: OnceCell<Arc<Servers>>,
}

impl Venue {
    /// Where nothing is started yet.
    pub const fn new(whose: Whose) -> Self {
        Self { whose, servers: OnceCell::new() }
    }

    /// The servers.
    pub fn servers(&self) -> Result<Arc<Servers>> {
        if let Some(servers) = self.servers.get() {
            return Ok(servers.clone());
        }
        let servers = Arc::new(Servers::start(self.whose)?);
        Ok(self.servers.get_or_init(|| servers).clone())
    }

    /// The servers, if anything wanted them.
    pub fn started(&self) -> Option<&Servers> {
        self.servers.get().map(Arc::as_ref)
    }
}

/// Where the servers are. The bench's own end with this.
pub struct Servers {
    postgres: PostgresAddress,
    mongodb: MongoAddress,
    kafka: KafkaAddress,
    _own: Option<(Postgres, MongoDb, Kafka)>,
}

impl Servers {
    /// Finds or starts them.
    fn start(whose: Whose) -> Result<Self> {
        match whose {
            Whose::OfTests => Ok(Self {
                postgres: shared::postgres().clone(),
                mongodb: shared::mongodb().clone(),
                kafka: shared::kafka().clone(),
                _own: None,
            }),
            Whose::Own => Self::start_own(),
        }
    }

    fn start_own() -> Result<Self> {
        let (postgres, mongodb, kafka) = std::thread::scope(|scope| {
            let postgres = scope.spawn(|| Postgres::start_with(Durability::On, &POSTGRES));
            let mongodb = scope.spawn(|| MongoDb::start_with(MONGODB));
            let kafka = scope.spawn(Kafka::start);
            (postgres.join(), mongodb.join(), kafka.join())
        });
        let broke = |_| anyhow!("starting a server broke down");
        let postgres = postgres.map_err(broke)?.context("PostgreSQL")?;
        let mongodb = mongodb.map_err(broke)?.context("MongoDB")?;
        let kafka = kafka.map_err(broke)?.context("Kafka")?;
        Ok(Self {
            postgres: postgres.address().clone(),
            mongodb: mongodb.address().clone(),
            kafka: kafka.address().clone(),
            _own: Some((postgres, mongodb, kafka)),
        })
    }

    /// Makes a database in PostgreSQL and gives its URL.
    pub fn create_database(&self) -> Result<String> {
        self.postgres.create_database().context("making a database in PostgreSQL")
    }

    /// MongoDB's connection string.
    pub fn mongodb(&self) -> &str {
        self.mongodb.uri()
    }

    /// The broker.
    pub fn kafka(&self) -> &str {
        self.kafka.brokers()
    }

    /// What they are and of which versions.
    pub fn versions(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PostgreSQL", self.postgres.version().to_owned()),
            ("MongoDB", self.mongodb.version().to_owned()),
            ("Kafka broker", self.kafka.version().to_owned()),
        ]
    }
}
