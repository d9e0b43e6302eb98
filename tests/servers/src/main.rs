//! Starts test servers, tells where they are, one line each, and keeps them until its standard input ends:
//! `cargo run -p esoz-test-servers -- postgres mongodb kafka`.

use std::{error::Error, io::Write};

use esoz_test_servers::{Durability, Kafka, MongoDb, Postgres};

/// A server that is kept, whichever it is.
enum Server {
    Postgres(Postgres),
    MongoDb(MongoDb),
    Kafka(Kafka),
}

impl Server {
    fn start(kind: &str) -> Result<Self, Box<dyn Error>> {
        match kind {
            "postgres" => Ok(Self::Postgres(Postgres::start(Durability::On)?)),
            "mongodb" => Ok(Self::MongoDb(MongoDb::start()?)),
            "kafka" => Ok(Self::Kafka(Kafka::start()?)),
            other => Err(format!("no server `{other}`: postgres, mongodb or kafka").into()),
        }
    }

    fn pid_and_address(&self) -> Result<(u32, &str), Box<dyn Error>> {
        Ok(match self {
            Self::Postgres(server) => (server.pid()?, server.url()),
            Self::MongoDb(server) => (server.pid()?, server.uri()),
            Self::Kafka(server) => (server.pid()?, server.brokers()),
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut servers = Vec::new();
    for kind in std::env::args().skip(1) {
        let server = Server::start(&kind)?;
        let (pid, address) = server.pid_and_address()?;
        let mut out = std::io::stdout();
        writeln!(out, "{kind} {pid} {address}")?;
        out.flush()?;
        servers.push(server);
    }
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
