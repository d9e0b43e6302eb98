//! The databases and the broker of a run: its own, since it restarts them.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use esoz_test_servers::proxy::Proxy;
use esoz_test_servers::{Durability, Kafka, MongoDb, Postgres, ReservedPort};
use esoz_tests::{Addresses, TestStores};

/// PostgreSQL and MongoDB with everything on the disk, a Kafka broker behind a proxy.
pub struct Servers {
    /// PostgreSQL.
    pub postgres: Postgres,
    /// MongoDB.
    pub mongodb: MongoDb,
    /// The broker.
    pub kafka: Kafka,
    /// The way to the broker.
    pub kafka_proxy: Proxy,
}

impl Servers {
    /// Starts them.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start() -> Result<Self> {
        // Each waits for its disk, hardly ever for a core.
        let (postgres, mongodb, kafka) = std::thread::scope(|scope| {
            let postgres = scope.spawn(|| Postgres::start(Durability::On));
            let mongodb = scope.spawn(MongoDb::start);
            let kafka = scope.spawn(broker);
            (postgres.join(), mongodb.join(), kafka.join())
        });
        let failed = "a server could not be started: see above";
        let (kafka, kafka_proxy) = kafka.ok().context(failed)??;
        Ok(Self {
            postgres: postgres.ok().context(failed)??,
            mongodb: mongodb.ok().context(failed)??,
            kafka,
            kafka_proxy,
        })
    }

    /// Fresh stores on them.
    ///
    /// # Errors
    /// When there is no database for them.
    pub async fn stores(&self) -> Result<TestStores> {
        self.stores_with(self.mongodb.uri()).await
    }

    /// Fresh stores with the documents elsewhere.
    ///
    /// # Errors
    /// When there is no database for them.
    pub async fn stores_with(&self, mongodb: &str) -> Result<TestStores> {
        let postgres_url = self.postgres.create_database()?;
        let postgres = self.postgres.address();
        let kafka = self.kafka.brokers();
        Ok(TestStores::on(&Addresses::new(postgres, &postgres_url, mongodb, kafka)).await)
    }

    /// What they are, for the page that tells the results.
    pub fn versions(&self) -> String {
        let (postgres, mongodb) = (self.postgres.address().version(), self.mongodb.address().version());
        format!("PostgreSQL {postgres}, MongoDB {mongodb}, {}", self.kafka.address().version())
    }
}

fn broker() -> Result<(Kafka, Proxy)> {
    let port = ReservedPort::new()?;
    let kafka = Kafka::start_behind(port.number())?;
    let proxy = Proxy::start_at(port, SocketAddr::from(([127, 0, 0, 1], kafka.port())))?;
    Ok((kafka, proxy))
}
