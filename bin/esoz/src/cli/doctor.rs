mod documents;
mod elsewhere;
mod finding;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_events::Backlog;
use esoz_kernel::Clock as _;
use esoz_kernel::system::SystemClock;
use esoz_kernel::time::rfc3339_millis;
use esoz_tls::CertificateFiles;
use finding::{Finding, Report};

use super::args::DoctorArgs;
use super::health::is_running;
use crate::compose::backend::Opened;
use crate::compose::bus::{REPLICATION_REMEDY, broker_backend};
use crate::compose::database::Database;
use crate::compose::missing_indexes::none_missing;
use crate::compose::open::store_backend;
use crate::compose::patient_key::{OtherKey, PatientKey};
use crate::compose::stores::Stores;
use crate::compose::{missing_indexes, patient_key};
use crate::config::{BindAddress, Config, SECRET_FILES_REMEDY};
use crate::open_files;
use crate::telemetry::span_export;
use crate::tls::{self, Fitness};

/// Checks everything that the configuration names, and prints the findings. Fails if anything is wrong; if it is to be strict, also if anything is not
/// safe.
pub(crate) async fn run(config: &Config, args: DoctorArgs) -> Result<ExitCode> {
    let mut report = Report::new(args);
    let pseudonyms = Finding::new(
        "pseudonyms",
        config.pseudonyms().map(drop),
        "set patient.key (or patient.key_file) as docs/esoz.example.toml says",
    );
    let has_pseudonyms = pseudonyms.wrong.is_none();
    report.add(&pseudonyms)?;
    if let Some(files) = config.tls_files()? {
        report.add(&certificate(&files))?;
    }
    if !config.secret_files()?.is_empty() {
        let exposed = config.exposed_secret_files()?;
        let weak = exposed.map(|files| (format!("others may read {files}"), SECRET_FILES_REMEDY));
        report.add(&Finding { weak, ..Finding::new("secret files", Ok(()), SECRET_FILES_REMEDY) })?;
    }
    let weak = open_files::shortage(config)?.map(|shortage| (shortage, open_files::REMEDY));
    report.add(&Finding { weak, ..Finding::new("open files", Ok(()), open_files::REMEDY) })?;
    let stores = store_backend(config)?;
    // A server that has not started yet creates its file.
    let first_start = stores.missing_file(config);
    let is_running = is_running(config).await;
    for Opened { title, remedy, database } in stores.databases(config).await {
        match &first_start {
            Some(path) if is_running => report.add(&Finding::removed(title, path))?,
            Some(path) => report.add(&Finding::creatable(title, path, remedy))?,
            None => {
                for finding in findings_of(title, remedy, database).await {
                    report.add(&finding)?;
                }
            }
        }
    }
    if has_pseudonyms && first_start.is_none() {
        report.add(&patient_key(config).await)?;
    }
    if let Some(broker) = broker_backend(config)? {
        let ping = async { broker.connect(config, None)?.ping().await };
        let remedy =
            "check kafka.brokers and what the brokers advertise; `esoz migrate` creates a missing topic";
        report.add(&Finding::new("Kafka", ping.await, remedy).over(broker.transport(config)?))?;
        let weak = broker.single_replica(config)?.map(|problem| (problem, REPLICATION_REMEDY));
        report.add(&Finding { weak, ..Finding::new("kafka.replication", Ok(()), REPLICATION_REMEDY) })?;
    }
    if let Some(transport) = span_export::transport(config)? {
        let seen = Some(String::from("is not asked"));
        report.add(&Finding { seen, ..Finding::new("trace collector", Ok(()), "") }.over(transport))?;
    }
    for finding in elsewhere::findings(config).await? {
        report.add(&finding)?;
    }
    for finding in documents::findings(config).await? {
        report.add(&finding)?;
    }
    let (finding, listening) = address("http.bind", config.bind()?, is_running);
    report.add(&finding)?;
    if let Some(bind) = config.metrics_bind()? {
        report.add(&address("metrics.bind", bind, is_running).0)?;
    }
    // Until here: the two must be different addresses.
    drop(listening);
    if first_start.is_none() {
        report.add(&outbox(config).await)?;
    }
    Ok(if report.is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks that the certificate can be used, and for how long.
fn certificate(files: &CertificateFiles) -> Finding {
    const WHAT: &str = "TLS certificate";
    match files.load() {
        Err(error) => Finding::new(WHAT, Err(error.into()), tls::REMEDY),
        Ok(key) => match tls::fitness(&key, SystemClock.now()) {
            Fitness::Valid => Finding::new(WHAT, Ok(()), tls::REMEDY),
            Fitness::ExpiresSoon(why) => {
                let weak = Some((why, tls::RENEWAL_REMEDY));
                Finding { weak, ..Finding::new(WHAT, Ok(()), tls::REMEDY) }
            }
            Fitness::Invalid(why) => Finding::new(WHAT, Err(anyhow::Error::msg(why)), tls::RENEWAL_REMEDY),
        },
    }
}

/// Checks a database and its indexes.
async fn findings_of(
    title: &'static str,
    remedy: &'static str,
    database: Result<Arc<dyn Database>>,
) -> Vec<Finding> {
    let database = match database {
        Err(error) => return vec![Finding::new(title, Err(error), remedy)],
        Ok(database) => database,
    };
    let (seen, inspected) = match database.inspect().await {
        Ok(seen) => (seen, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let indexes = match database.indexes() {
        Some(names) if inspected.is_ok() => {
            let found = none_missing(database.missing_indexes().await).map_err(anyhow::Error::msg);
            Some(Finding::new(names.title, found, missing_indexes::REMEDY))
        }
        _ => None,
    };
    let finding = Finding { seen, ..Finding::new(title, inspected, remedy) };
    let finding = match database.transport() {
        Some(transport) => finding.over(transport),
        None => finding,
    };
    [finding].into_iter().chain(indexes).collect()
}

/// Checks that the stored pseudonyms are made with the configured scheme and key.
async fn patient_key(config: &Config) -> Finding {
    let check = async { PatientKey::of_configured(config).await?.check().await };
    let check = check.await;
    let seen = matches!(check, Ok(false))
        .then(|| String::from("the store has none yet; the first `esoz serve` or `esoz import` records it"));
    let remedy = match &check {
        Err(error) if !error.is::<OtherKey>() => "first fix the store of dispenses, SQLite or MongoDB, above",
        _ => patient_key::REMEDY,
    };
    Finding { seen, ..Finding::new("patient key", check.map(drop), remedy) }
}

/// Checks that an address of the server is free, or that a server of ours runs there already.
/// Returns what listens there meanwhile as well.
fn address(key: &'static str, bind: BindAddress, is_running: bool) -> (Finding, Option<TcpListener>) {
    let remedy = BindAddress::REMEDY;
    let listening = bind.address().map(|address| (address, TcpListener::bind(address)));
    match listening {
        Ok((_, Err(error))) if is_running && error.kind() == ErrorKind::AddrInUse => {
            let seen = Some(String::from("a server runs there"));
            (Finding { seen, ..Finding::new(key, Ok(()), remedy) }, None)
        }
        Ok((address, Err(error))) => {
            let failed = Err(error).with_context(|| bind.listening_on(address));
            (Finding::new(key, failed, remedy), None)
        }
        Ok((_, Ok(listener))) => (Finding::new(key, Ok(()), remedy), Some(listener)),
        Err(error) => (Finding::new(key, Err(error), remedy), None),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_ours_only_if_a_server_of_ours_runs() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let variables = [(String::from("ESOZ_HTTP__BIND"), taken.local_addr().unwrap().to_string())];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let config = Config::from_sources(None, variables.into_iter()).unwrap();
        let found = |bind: BindAddress, is_running| address("http.bind", bind, is_running).0.wrong.is_none();
        assert!(found(config.bind().unwrap(), true));
        assert!(!found(config.bind().unwrap(), false));
        let elsewhere = [("ESOZ_HTTP__BIND".into(), "192.0.2.1:80".into())];
        let elsewhere = Config::from_sources(None, elsewhere.into_iter()).unwrap();
        assert!(!found(elsewhere.bind().unwrap(), true), "no address of this machine");
    }
}
