use std::process::ExitCode;

use anyhow::Result;
use esoz_bus_kafka::KafkaPublisher;
use esoz_events::Backlog;
use esoz_kernel::time::rfc3339_millis;
use esoz_store_postgres::Schema;
use esoz_tls::Transport;
use serde_json::json;

use super::args::OutputArgs;
use super::health::is_running;
use super::print;
use crate::compose::stores::{Stores, connect_mongo, connect_postgres, open_sqlite};
use crate::compose::{missing_indexes, tokens, transport};
use crate::config::{BindAddress, Bus, Config, SECRET_FILES_REMEDY, StoreKind};
use crate::{open_files, tls};

/// The result of one check.
struct Finding {
    what: &'static str,
    /// What the check saw, if it is worth printing.
    seen: Option<String>,
    /// The problem and its remedy.
    wrong: Option<(String, &'static str)>,
    /// What is not safe and its remedy. A warning, no failure: something else may protect it, such as an isolated network.
    weak: Option<(String, &'static str)>,
}

/// Checks everything that the configuration names, and prints the findings. Fails if anything is wrong.
pub(crate) async fn run(config: &Config, output: OutputArgs) -> Result<ExitCode> {
    let mut findings = vec![Finding::new(
        "pseudonyms",
        config.pseudonyms().map(drop),
        "set patient.key (or patient.key_file) as docs/esoz.example.toml says",
    )];
    if let Some(files) = config.tls_files()? {
        findings.push(Finding::new(
            "TLS certificate",
            files.load().map(drop).map_err(Into::into),
            tls::REMEDY,
        ));
    }
    if !config.secret_files()?.is_empty() {
        let exposed = config.exposed_secret_files()?;
        let weak = exposed.map(|files| (format!("others may read {files}"), SECRET_FILES_REMEDY));
        findings.push(Finding { weak, ..Finding::new("secret files", Ok(()), SECRET_FILES_REMEDY) });
    }
    let weak = open_files::shortage(config)?.map(|shortage| (shortage, open_files::REMEDY));
    findings.push(Finding { weak, ..Finding::new("open files", Ok(()), open_files::REMEDY) });
    match config.store_kind()? {
        StoreKind::Sqlite => {
            let ping = async { Ok(open_sqlite(config)?.ping().await?) };
            let remedy = "check sqlite.path, that the user of this program may write the file, those beside it and their folder, \
                and that their disk has room; `esoz migrate` updates an older schema";
            findings.push(Finding::new("SQLite", ping.await, remedy));
        }
        StoreKind::Servers => {
            findings.extend(postgres(config).await);
            findings.extend(mongodb(config).await);
        }
    }
    if config.bus()? == Bus::Kafka {
        let settings = config.kafka()?;
        let ping = async { Ok(KafkaPublisher::new(&settings)?.ping().await?) };
        let remedy =
            "check kafka.brokers and what the brokers advertise; `esoz migrate` creates a missing topic";
        findings.push(Finding::new("Kafka", ping.await, remedy).over(settings.transport()));
    }
    if let Some(issuer) = tokens::issuer(config)? {
        let remedy = "check auth.url, auth.client_id and auth.client_secret, and that the issuer can be reached from here";
        findings.push(Finding::new("token issuer", issuer.ping().await.map_err(Into::into), remedy));
    }
    findings.extend(addresses(config).await?);
    findings.push(outbox(config).await);
    for finding in &findings {
        print(&if output.json { finding.as_json() } else { finding.as_text() })?;
    }
    let is_well = findings.iter().all(|finding| finding.wrong.is_none());
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Finding {
    fn new(what: &'static str, outcome: Result<()>, remedy: &'static str) -> Self {
        let wrong = outcome.err().map(|error| (format!("{error:#}"), remedy));
        Self { what, seen: None, wrong, weak: None }
    }

    /// Adds how the server is reached.
    fn over(self, transport: Transport) -> Self {
        let weak = if let Transport::Weak(why) = transport { Some(why.to_owned()) } else { None };
        Self { weak: weak.map(|why| (why, transport::REMEDY)), ..self }
    }

    fn as_text(&self) -> String {
        let what = self.what;
        let text = match (&self.wrong, &self.seen) {
            (None, None) => format!("ok     {what}"),
            (None, Some(seen)) => format!("ok     {what}: {seen}"),
            (Some((why, remedy)), _) => format!("WRONG  {what}: {why}\n       {remedy}"),
        };
        match &self.weak {
            None => text,
            Some((why, remedy)) => format!("{text}\nUNSAFE {what}: {why}\n       {remedy}"),
        }
    }

    fn as_json(&self) -> String {
        let wrong = self.wrong.as_ref().map(|(why, remedy)| json!({"why": why, "mend": remedy}));
        let weak = self.weak.as_ref().map(|(why, _)| why);
        json!({"what": self.what, "ok": wrong.is_none(), "seen": self.seen, "wrong": wrong, "unsafe": weak})
            .to_string()
    }
}

async fn postgres(config: &Config) -> Vec<Finding> {
    let (mut transport, mut indexes) = (None, None);
    let check = async {
        let store = connect_postgres(config)?;
        transport = Some(store.transport()?);
        let schema = store.check_schema().await?;
        store.ping().await?;
        let found = missing_indexes::postgres(&store).await.map_err(anyhow::Error::msg);
        indexes = Some(Finding::new("PostgreSQL indexes", found, missing_indexes::POSTGRESQL_REMEDY));
        Ok(schema)
    };
    let remedy = "check postgres.url and that the server runs and accepts the login; `esoz migrate` updates an older schema";
    let finding = match check.await {
        Err(error) => Finding::new("PostgreSQL", Err(error), remedy),
        Ok(schema) => {
            let seen = match schema {
                Schema::Newer { unknown, known_until } => Some(format!(
                    "the schema is newer than this program, but compatible with it (unknown to it: {}; it knows it up to {known_until})",
                    unknown.join(", ")
                )),
                Schema::Known => None,
            };
            Finding { seen, ..Finding::new("PostgreSQL", Ok(()), remedy) }
        }
    };
    let finding = match transport {
        Some(transport) => finding.over(transport),
        None => finding,
    };
    [finding].into_iter().chain(indexes).collect()
}

async fn mongodb(config: &Config) -> Vec<Finding> {
    let remedy = "check mongodb.uri and that the server runs as a replica set with a primary (rs.status())";
    match connect_mongo(config).await {
        Err(error) => vec![Finding::new("MongoDB", Err(error), remedy)],
        Ok(store) => {
            let ping = store.ping().await;
            let indexes = match ping {
                Ok(()) => Some(missing_indexes::mongo(&store).await.map_err(anyhow::Error::msg)),
                Err(_) => None,
            };
            let finding = Finding::new("MongoDB", ping.map_err(Into::into), remedy).over(store.transport());
            let indexes =
                indexes.map(|found| Finding::new("MongoDB indexes", found, missing_indexes::MONGODB_REMEDY));
            [finding].into_iter().chain(indexes).collect()
        }
    }
}

/// Checks that the addresses of the server are free, or that a server of ours runs there already.
async fn addresses(config: &Config) -> Result<Vec<Finding>> {
    let metrics = config.metrics_bind()?.map(|bind| ("metrics.bind", bind));
    let addresses: Vec<_> = [("http.bind", config.bind()?)].into_iter().chain(metrics).collect();
    let is_running = is_running(config).await?;
    let remedy =
        "something else listens there, or it is no address of this machine: stop that, or change the key";
    let examine = |(key, bind): (&'static str, BindAddress)| match bind.listen() {
        Err(_) if is_running => {
            let seen = Some(String::from("a server runs there"));
            Finding { seen, ..Finding::new(key, Ok(()), remedy) }
        }
        listening => Finding::new(key, listening.map(drop), remedy),
    };
    Ok(addresses.into_iter().map(examine).collect())
}

/// Checks the backlog of the outboxes.
async fn outbox(config: &Config) -> Finding {
    let backlog = async { anyhow::Ok(Stores::open(config).await?.backlog().await?) };
    match backlog.await {
        Err(error) => {
            let remedy =
                "first fix the store that keeps the outbox: SQLite, or MongoDB and PostgreSQL, above";
            Finding::new("outbox", Err(error), remedy)
        }
        Ok(Backlog { depth, oldest, set_aside }) => {
            let since = oldest.map(|oldest| format!(", the oldest since {}", rfc3339_millis(oldest)));
            let seen = format!("{depth} events wait for delivery{}", since.unwrap_or_default());
            let why = format!("{set_aside} events cannot be delivered and were set aside");
            let remedy = "`esoz events --failed` lists them with the reasons; then retry or drop them";
            let wrong = (set_aside > 0).then_some((why, remedy));
            Finding { seen: Some(seen), wrong, ..Finding::new("outbox", Ok(()), remedy) }
        }
    }
}
