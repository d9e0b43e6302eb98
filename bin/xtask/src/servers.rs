//! One set of servers for a whole test run, and the browser that its tests start.

use std::{ffi::OsString, process::Command, time::Instant};

use anyhow::Context;
use esoz_test_servers::{Browser, KAFKA_BROKERS, MONGODB_URI, POSTGRES_TLS_DIR, POSTGRES_URL, shared};

use crate::steps::{Steps, say};

/// Where the run's servers are. Those started here end with this process.
pub(crate) struct Servers {
    variables: [(&'static str, OsString); 4],
}

impl Servers {
    /// Finds or starts each, and notes for the summary which it is and where it came from.
    pub(crate) fn start(steps: &mut Steps) -> anyhow::Result<Self> {
        say("\n▶ servers: PostgreSQL, MongoDB, Kafka, a browser");
        let started = Instant::now();
        // A thread for each: they wait for disks and for each other's package clients, hardly ever for a core.
        let (postgres, mongodb, kafka) = std::thread::scope(|scope| {
            let postgres = scope.spawn(shared::postgres);
            let mongodb = scope.spawn(shared::mongodb);
            let kafka = scope.spawn(shared::kafka);
            (postgres.join(), mongodb.join(), kafka.join())
        });
        // The thread has told why on standard error.
        let postgres = postgres.ok().context("no PostgreSQL to test with: see above")?;
        let mongodb = mongodb.ok().context("no MongoDB to test with: see above")?;
        let kafka = kafka.ok().context("no Kafka broker to test with: see above")?;
        // Each test starts its own; installing one would take longer than a test may. Not beside the others: package clients lock.
        let browser = Browser::start().context("no browser to test with")?;
        for note in [
            format!("PostgreSQL {}, {}", postgres.version(), postgres.origin()),
            format!("MongoDB {}, {}", mongodb.version(), mongodb.origin()),
            format!("Kafka broker {}, {}", kafka.version(), kafka.origin()),
            format!("Browser {}, {}", browser.version(), browser.origin()),
        ] {
            say(&format!("  {note}"));
            steps.note(note);
        }
        steps.record("servers", true, started.elapsed());
        Ok(Self {
            variables: [
                (POSTGRES_URL, postgres.url().into()),
                (POSTGRES_TLS_DIR, postgres.tls_dir().map(Into::into).unwrap_or_default()),
                (MONGODB_URI, mongodb.uri().into()),
                (KAFKA_BROKERS, kafka.brokers().into()),
            ],
        })
    }

    /// Tells a command's tests where the servers are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.envs(self.variables.clone());
    }
}
