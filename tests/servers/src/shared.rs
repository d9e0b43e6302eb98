//! One server of each kind for many tests: the one named in the environment (`cargo xtask test` starts a set for the
//! whole run and names it there), else one for this process, started when first asked for.
//!
//! A test makes a database, topic or collection of its own on it and never stops it. These panic when there is no
//! server: a test without its server has failed.

use std::sync::OnceLock;

use super::{
    error::ServerError,
    kafka::{Kafka, KafkaAddress},
    mongodb::{MongoAddress, MongoDb},
    postgres_admin::PostgresAddress,
    postgres_tls::SharedPostgres,
};

/// A server for many tests: somebody else's, or ours and then kept running.
#[derive(Debug)]
enum Shared<A, S> {
    Address(A),
    Started(S),
}

/// The shared PostgreSQL server. Started here, it does not wait for the disk ([`Durability::Off`](crate::Durability::Off)), and takes one user by TLS and
/// a certificate alone ([`PostgresAddress::over_tls`]).
pub fn postgres() -> &'static PostgresAddress {
    static SERVER: OnceLock<Result<Shared<PostgresAddress, SharedPostgres>, ServerError>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match PostgresAddress::from_environment()? {
        Some(address) => Ok(Shared::Address(address)),
        None => Ok(Shared::Started(SharedPostgres::start()?)),
    });
    match present(server.as_ref()) {
        Shared::Address(address) => address,
        Shared::Started(server) => server.address(),
    }
}

/// The shared MongoDB replica set.
pub fn mongodb() -> &'static MongoAddress {
    static SERVER: OnceLock<Result<Shared<MongoAddress, MongoDb>, ServerError>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match MongoAddress::from_environment() {
        Some(address) => Ok(Shared::Address(address)),
        None => Ok(Shared::Started(MongoDb::start()?)),
    });
    match present(server.as_ref()) {
        Shared::Address(address) => address,
        Shared::Started(server) => server.address(),
    }
}

/// The shared Kafka broker.
pub fn kafka() -> &'static KafkaAddress {
    static SERVER: OnceLock<Result<Shared<KafkaAddress, Kafka>, ServerError>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match KafkaAddress::from_environment()? {
        Some(address) => Ok(Shared::Address(address)),
        None => Ok(Shared::Started(Kafka::start()?)),
    });
    match present(server.as_ref()) {
        Shared::Address(address) => address,
        Shared::Started(server) => server.address(),
    }
}

#[expect(clippy::panic, reason = "a test without its server has failed")]
fn present<'a, T>(server: Result<&'a T, &'a ServerError>) -> &'a T {
    match server {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    }
}
