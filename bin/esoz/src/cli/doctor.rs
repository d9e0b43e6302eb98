use std::process::ExitCode;

use anyhow::Result;
use esoz_bus_kafka::KafkaPublisher;
use esoz_events::Backlog;
use esoz_kernel::time::rfc3339_millis;
use esoz_store_mongo::MongoStore;
use esoz_store_postgres::{PostgresStore, Schema};
use serde_json::json;

use super::args::OutputArgs;
use super::print;
use crate::compose::bus::kafka_settings;
use crate::compose::pseudonyms;
use crate::compose::stores::{Stores, mongo_settings, open_sqlite, postgres_settings};
use crate::config::{Bus, Config, StoreKind};
use crate::tls;

/// What was found out about one thing that the configuration names.
struct Finding {
    what: &'static str,
    /// What was seen, if that is worth telling.
    seen: Option<String>,
    /// What is wrong, and what to do about it.
    wrong: Option<(String, &'static str)>,
}

pub(crate) async fn run(config: &Config, output: OutputArgs) -> Result<ExitCode> {
    let mut findings = vec![finding(
        "pseudonyms",
        pseudonyms(config).map(drop),
        "set patient.key (or patient.key_file) as docs/esoz.example.toml says",
    )];
    if let Some(files) = config.tls_files()? {
        findings.push(finding("TLS certificate", files.check(), tls::MEND));
    }
    match config.store_kind()? {
        StoreKind::Sqlite => findings.push(sqlite(config).await),
        StoreKind::Servers => findings.extend([postgres(config).await, mongodb(config).await]),
    }
    if config.bus()? == Bus::Kafka {
        findings.push(kafka(config).await);
    }
    findings.push(outbox(config).await);
    let is_well = findings.iter().all(|finding| finding.wrong.is_none());
    for finding in &findings {
        print(&if output.json { finding.as_json() } else { finding.as_text() })?;
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Finding {
    fn as_text(&self) -> String {
        match &self.wrong {
            None => match &self.seen {
                None => format!("ok     {}", self.what),
                Some(seen) => format!("ok     {}: {seen}", self.what),
            },
            Some((why, mend)) => format!("WRONG  {}: {why}\n       {mend}", self.what),
        }
    }

    fn as_json(&self) -> String {
        let wrong = self.wrong.as_ref().map(|(why, mend)| json!({"why": why, "mend": mend}));
        json!({"what": self.what, "ok": wrong.is_none(), "seen": self.seen, "wrong": wrong}).to_string()
    }
}

fn finding(what: &'static str, outcome: Result<()>, mend: &'static str) -> Finding {
    Finding { what, seen: None, wrong: outcome.err().map(|error| (format!("{error:#}"), mend)) }
}

/// How much waits for delivery.
async fn outbox(config: &Config) -> Finding {
    let look = async { anyhow::Ok(Stores::open(config).await?.backlog().await?) };
    let mend = "first mend the store that keeps it: SQLite, or MongoDB and PostgreSQL, above";
    match look.await {
        Err(error) => finding("outbox", Err(error), mend),
        Ok(Backlog { depth, oldest, set_aside }) => {
            let since = oldest.map(|oldest| format!(", the oldest since {}", rfc3339_millis(oldest)));
            let seen = format!("{depth} events wait for delivery{}", since.unwrap_or_default());
            let why = format!("{set_aside} events cannot be delivered and were set aside");
            let mend = "`esoz events --failed` lists them with the reasons; then retry or drop them";
            Finding { what: "outbox", seen: Some(seen), wrong: (set_aside > 0).then_some((why, mend)) }
        }
    }
}

async fn sqlite(config: &Config) -> Finding {
    let look = async { Ok(open_sqlite(config)?.ping().await?) };
    let mend = "check sqlite.path and who may write there; `esoz migrate` brings an older file up to date";
    finding("SQLite", look.await, mend)
}

/// What is worth telling of a schema that this program works on.
fn newer(schema: Schema) -> Option<String> {
    let Schema::Newer { unknown, known_until } = schema else { return None };
    let unknown = unknown.join(", ");
    Some(format!(
        "the schema is newer than this program, which may work on it (unknown to it: {unknown}; it knows it up to {known_until})"
    ))
}

async fn postgres(config: &Config) -> Finding {
    let look = async { Ok(PostgresStore::connect(&postgres_settings(config)?)?.check_schema().await?) };
    let mend = "check postgres.url and that the server runs and lets it in; `esoz migrate` brings an older schema up to date";
    match look.await {
        Err(error) => finding("PostgreSQL", Err(error), mend),
        Ok(schema) => Finding { what: "PostgreSQL", seen: newer(schema), wrong: None },
    }
}

async fn mongodb(config: &Config) -> Finding {
    let look = async { Ok(MongoStore::connect(&mongo_settings(config)?).await?.ping().await?) };
    let mend = "check mongodb.uri and that the server runs as a replica set with a primary (rs.status())";
    finding("MongoDB", look.await, mend)
}

async fn kafka(config: &Config) -> Finding {
    let look = async { Ok(KafkaPublisher::new(&kafka_settings(config)?)?.ping().await?) };
    let mend =
        "check kafka.brokers and what the brokers advertise; `esoz migrate` makes a topic that is missing";
    finding("Kafka", look.await, mend)
}
