//! Starts the server: config → adapters → use cases → HTTP API and jobs. Shuts it down gracefully.

use std::future::{Future, pending};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use esoz_auth::Authentication;
use esoz_contract_division::ContractDivisionOperations;
use esoz_device_dispense::{DispenseOperations, DispensePorts};
use esoz_events::{Backoff, EventOperations};
use esoz_http::{
    Addressing, AdmissionControl, AdmissionSettings, Api, Health, HttpLimits, MonotonicClock, Observer,
    Running, Workers,
};
use esoz_legal_entity::{AllowedTypes, LegalEntityType};
use tokio::task::JoinSet;

use crate::compose::caches::Cached;
use crate::compose::database::Database;
use crate::compose::patient_key::PatientKey;
use crate::compose::transport::Transports;
use crate::compose::{Parts, jobs};
use crate::config::{Config, number};
use crate::health::HealthChecks;
use crate::jobs::Jobs;
use crate::telemetry::instrumented_ports::instrument;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::collectors::Collectors;
use crate::telemetry::metrics::endpoint::Endpoint;
use crate::telemetry::metrics::requests::Requests;
use crate::telemetry::outage::{CallLog, OutageContext};
use crate::tls::{self, CertificateReload};

/// The longest time that the jobs' last runs may delay the exit, in milliseconds.
const LAST_RUNS_MAX_MS: u64 = 2_000;

/// How long requests of the last clients may be on their way when the server stops.
const LAST_CLIENTS: Duration = Duration::from_millis(200);

/// A listening server with its jobs.
pub struct EsozServer {
    running: Running,
    scheme: &'static str,
    certificate: Option<CertificateReload>,
    /// The tasks that reload the TLS certificate, and look how connections are protected.
    watching: JoinSet<()>,
    health_checks: HealthChecks,
    metrics: Option<Endpoint>,
    jobs: Jobs,
    patient_key: PatientKey,
    /// How long requests are still accepted after the signal to stop.
    drain: Duration,
    /// The time limit of the jobs' last runs.
    last_runs: Duration,
}

impl EsozServer {
    /// Starts to serve on a listening socket.
    ///
    /// # Errors
    /// When the configuration or the socket cannot be used.
    pub fn start(config: &Config, parts: Parts, listener: TcpListener) -> Result<Self> {
        let bind = config.metrics_bind()?;
        let metrics = Arc::new(if bind.is_some() { Metrics::on()? } else { Metrics::off() });
        let instruments = metrics.instruments(&parts.clock);
        let parts = instrument(config, parts, &instruments)?;
        let transports = Transports::new(config, &parts.stores)?;
        let mut watching = JoinSet::new();
        watching.spawn(transports.clone().watch());
        let health_checks = HealthChecks::start(config, &parts)?;
        let (health, clock) = (health_checks.health.clone(), parts.monotonic_clock.clone());
        let outages = OutageContext { health, clock };
        let cached = Cached::new(config, &parts.stores);
        let observer = Arc::new(Requests::new(&metrics));
        let is_secure = config.tls_files()?.is_some();
        let addressing = Addressing::direct(listener.local_addr()?, is_secure)
            .behind(config.trusted_proxies()?, config.public_url()?);
        let api = api(config, &parts, &cached, health_checks.health.clone(), observer, addressing)?;
        let backoff = jobs::backoff(config);
        let jobs = jobs::all(config, &parts, &instruments.dispense_committed, &metrics, &outages)?;
        let patient_key = PatientKey::of(config, &parts.stores)?;
        let Parts { stores, clock, .. } = &parts;
        let (tls, certificate) = match config.tls_files()? {
            None => (None, None),
            Some(files) => {
                let interval = Duration::from_millis(config.sections.tls.reload_ms);
                let (tls, reload) = tls::load(files, interval).context("section `tls`")?;
                let reload = CertificateReload::new(reload);
                watching.spawn(reload.clone().run());
                (Some(tls), Some(reload))
            }
        };
        let health = &health_checks.health;
        let collectors =
            Collectors::new(&metrics, stores, clock, health, cached.counts, transports, certificate.clone());
        let endpoint = bind.map(|bind| Endpoint::start(&bind, Arc::new(collectors))).transpose()?;
        let scheme = if is_secure { "https" } else { "http" };
        let running = esoz_http::serve(listener, api, tls).context("serving")?;
        for database in parts.stores.databases {
            let log = outages.calls_of(database.name());
            tokio::spawn(create_indexes(database, backoff, log));
        }
        let jobs = Jobs::start(jobs, backoff, &metrics, &outages);
        let last_runs =
            Duration::from_millis(config.sections.kafka.delivery_timeout_ms.min(LAST_RUNS_MAX_MS));
        let drain = Duration::from_millis(config.sections.http.drain_ms);
        Ok(Self {
            running,
            scheme,
            certificate,
            watching,
            health_checks,
            metrics: endpoint,
            jobs,
            patient_key,
            drain,
            last_runs,
        })
    }

    /// The scheme of its URLs: `http` or `https`.
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// The address of its metrics endpoint, if one is configured.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|metrics| metrics.address)
    }

    /// What reloads its certificate, if it serves by TLS.
    pub(crate) fn certificate(&self) -> Option<CertificateReload> {
        self.certificate.clone()
    }

    /// Its worker threads.
    pub(crate) fn workers(&self) -> Workers {
        self.running.workers.clone()
    }

    /// Serves until `stop` resolves. Then it shuts down gracefully: drains, i.e. still answers but closes each connection with its
    /// answer; finishes the requests in flight; runs the jobs once more, which publishes waiting events.
    ///
    /// # Errors
    /// When the server failed, or when a store that could not be reached before turns out to have another patient key: then it stops as well.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<()> {
        self.run(stop, || {}).await
    }

    /// As [`EsozServer::run_until`]; calls `on_shutdown` when the shutdown begins.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>, on_shutdown: impl FnOnce()) -> Result<()> {
        let Self { running, watching, health_checks, metrics, jobs, patient_key, drain, last_runs, .. } =
            self;
        let Running { server, handle, listening, .. } = running;
        let mut server = tokio::spawn(server);
        let refused = async {
            match patient_key.require_when_reached().await {
                Err(error) => error,
                Ok(()) => pending().await,
            }
        };
        let refused = tokio::select! {
            () = stop => None,
            error = refused => Some(error),
            // E.g. its threads could not be started.
            ended = &mut server => {
                ended.context("the server task")?.context("serving")?;
                bail!("the server has ended by itself");
            }
        };
        tracing::info!("stopping: draining connections, then finishing the requests in flight");
        on_shutdown();
        health_checks.health.begin_shutdown();
        // Each connection is closed by an answer: closed between two requests, it could lose one that is on its way.
        tokio::time::sleep(drain).await;
        match listening.ignore_new_clients() {
            // The requests of those who came last are on their way.
            Ok(()) => tokio::time::sleep(LAST_CLIENTS).await,
            Err(error) => tracing::warn!(%error, "new clients may get no answer now (operate.md, Stop)"),
        }
        drop(listening);
        handle.stop(true).await;
        server.await.context("the server task")?.context("serving")?;
        drop((health_checks, watching));
        if !jobs.stop(last_runs).await {
            tracing::warn!(
                "the jobs did not stop in time, e.g. because the bus does not answer; events in the outboxes are delivered after the next start"
            );
        }
        if let Some(metrics) = metrics {
            metrics.stop().await;
        }
        tracing::info!("stopped");
        refused.map_or(Ok(()), Err)
    }
}

/// Creates the indexes of a database that gets them from servers. Retries until it can be reached.
async fn create_indexes(database: Arc<dyn Database>, backoff: Backoff, log: CallLog) {
    let (store, mut failures) = (database.name(), 0_u32);
    while let Err(error) = database.create_indexes().await {
        failures = failures.saturating_add(1);
        if log.failed(&error).is_some() {
            let error = error.with_causes();
            tracing::warn!(store, error, failures, "the indexes could not be created; retrying");
        }
        tokio::time::sleep(backoff.wait(failures)).await;
    }
}

fn api(
    config: &Config,
    parts: &Parts,
    cached: &Cached,
    health: Arc<Health>,
    observer: Arc<dyn Observer>,
    addressing: Addressing,
) -> Result<Api> {
    let Parts { stores, clock, ids, .. } = parts;
    let allowed = config.sections.legal_entity.allowed_types.iter().map(LegalEntityType::new);
    let dispense_ports = DispensePorts {
        dispenses: stores.dispenses.clone(),
        legal_entities: cached.legal_entities.clone(),
        allowed_types: AllowedTypes::new(allowed),
        pseudonyms: config.pseudonyms()?,
        patient_access: parts.patient_access.clone(),
        clock: clock.clone(),
        calendar: parts.calendar.clone(),
        ids: ids.clone(),
        writes: stores.dispense_writes.clone(),
        registries: cached.registries.clone(),
        digests: config.drfo_digests()?,
        verifier: parts.verifier.clone(),
        media: parts.media.clone(),
    };
    Ok(Api {
        authentication: Authentication::new(
            cached.access_tokens.clone(),
            cached.api_keys.clone(),
            clock.clone(),
        ),
        device_dispenses: DispenseOperations::new(dispense_ports, config.dispense_policy()?),
        contract_divisions: ContractDivisionOperations::new(
            stores.contract_divisions.clone(),
            clock.clone(),
            ids.clone(),
        ),
        events: EventOperations::new(
            stores.event_log.clone(),
            clock.clone(),
            number(config.sections.events.list_max_period_hours)?,
        ),
        serves_events: config.sections.events.store,
        addressing,
        ids: ids.clone(),
        health,
        admission: admission(config, &parts.monotonic_clock)?,
        observer,
        logs_not_found_paths: config.has_invented_data,
        inspector: parts.inspector(config),
        limits: http_limits(config)?,
    })
}

fn admission(config: &Config, monotonic_clock: &Arc<dyn MonotonicClock>) -> Result<AdmissionControl> {
    let limit = &config.sections.rate_limit;
    let settings = AdmissionSettings {
        max_in_flight: number(config.sections.http.max_in_flight)?,
        requests_per_second: number(limit.requests_per_second)?,
        burst: number(config.burst()?)?,
        failed_authentications_per_minute: number(limit.failed_authentications_per_minute)?,
        allowed_origins: config.allowed_origins()?.to_vec(),
    };
    Ok(AdmissionControl::new(&settings, monotonic_clock))
}

fn http_limits(config: &Config) -> Result<HttpLimits> {
    let http = &config.sections.http;
    Ok(HttpLimits {
        body_max_bytes: number(http.body_max_bytes)?,
        signed_body_max_bytes: number(http.signed_body_max_bytes)?,
        headers_max_bytes: number(http.headers_max_bytes)?,
        headers_max_count: number(http.headers_max_count)?,
        head_timeout_ms: http.head_timeout_ms,
        body_timeout_ms: http.body_timeout_ms,
        request_timeout_ms: http.request_timeout_ms,
        keep_alive_ms: http.keep_alive_ms,
        max_connections: number(http.max_connections)?,
        workers: config.workers()?,
        shutdown_timeout_s: http.shutdown_timeout_s,
    })
}
