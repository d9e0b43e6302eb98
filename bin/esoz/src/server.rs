//! Puts the server together: config → adapters → use cases → HTTP, with the relay beside it.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use esoz_auth::Authentication;
use esoz_contract_division::{ContractDivisionOperations, ContractDivisionPorts};
use esoz_device_dispense::{DispenseOperations, DispensePorts, PatientPseudonyms};
use esoz_events::{Backoff, EventPublisher};
use esoz_http::{
    AdmissionControl, AdmissionSettings, Api, Health, HttpLimits, MonotonicClock, Observer, ProcessClock,
    Running,
};
use esoz_kernel::system::{RandomIds, SystemClock};
use esoz_kernel::{Clock, IdGenerator};
use esoz_legal_entity::{AllowedTypes, LegalEntityType};
use esoz_pseudonym::{Aes128CbcPseudonyms, HmacSha256Pseudonyms};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::compose::bus::{self, RingingDispenses};
use crate::compose::caches::Cached;
use crate::compose::jobs;
use crate::compose::stores::{Stores, number};
use crate::compose::tokens;
use crate::config::{Config, Pseudonym};
use crate::health::Watch;
use crate::jobs::Jobs;
use crate::telemetry::instrumented_ports::observed;
use crate::telemetry::metrics::{Endpoint, Metrics, Requests, Sampled};
use crate::tls;

/// What a server is made of, besides its configuration. A test replaces what it wants to control.
pub struct Parts {
    /// Where everything is kept.
    pub stores: Stores,
    /// Where events go.
    pub publisher: Arc<dyn EventPublisher>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How much time goes by, for the budgets of clients.
    pub monotonic_clock: Arc<dyn MonotonicClock>,
    /// Where fresh ids come from.
    pub ids: Arc<dyn IdGenerator>,
}

impl Parts {
    /// The configured stores and bus, the machine's clock, random ids.
    ///
    /// # Errors
    /// When the configuration does not fit what it names, e.g. a store whose schema is too old. A server that cannot be reached
    /// is no error.
    pub async fn configured(config: &Config) -> Result<Self> {
        let mut stores = Stores::open(config).await?;
        stores.access_tokens = tokens::access_tokens(config, &stores)?;
        let publisher = bus::publisher(config, &stores)?;
        let monotonic_clock = Arc::new(ProcessClock::default());
        Ok(Self {
            stores,
            publisher,
            clock: Arc::new(SystemClock),
            monotonic_clock,
            ids: Arc::new(RandomIds),
        })
    }
}

/// A server that is listening, with its relay at work.
pub struct EsozServer {
    running: Running,
    scheme: &'static str,
    /// Looks after the TLS certificate.
    certificates: JoinSet<()>,
    watch: Watch,
    metrics: Option<Endpoint>,
    jobs: Jobs,
    /// How long everything is still answered once it was told to stop.
    drain: Duration,
    /// How long the jobs may take for their last runs.
    last_round: Duration,
}

impl EsozServer {
    /// Starts to serve on a socket that is already listening.
    ///
    /// # Errors
    /// When the configuration or the socket cannot be used.
    pub fn start(config: &Config, parts: Parts, listener: TcpListener) -> Result<Self> {
        let bind = config.metrics_bind()?;
        let metrics = Arc::new(if bind.is_some() { Metrics::on()? } else { Metrics::off() });
        let parts = observed(config, parts, &metrics)?;
        let doorbell = Arc::new(Notify::new());
        let watch = Watch::start(config, &parts.stores, &parts.clock)?;
        let cached = Cached::new(config, &parts.stores);
        let observer = Arc::new(Requests::new(&metrics));
        let api = api(config, &parts, &cached, doorbell.clone(), watch.health.clone(), observer)?;
        let backoff = jobs::backoff(config);
        let jobs =
            jobs::of_server(config, &parts.stores, &parts.publisher, &parts.clock, &doorbell, &metrics)?;
        let Parts { stores, clock, .. } = &parts;
        let sampled = Arc::new(Sampled::new(&metrics, stores, clock, &watch.health, cached.counts));
        let endpoint = bind.map(|bind| Endpoint::start(bind, sampled)).transpose()?;
        let mut certificates = JoinSet::new();
        let tls = match config.tls_files()? {
            None => None,
            Some(files) => {
                let every = Duration::from_millis(config.sections.tls.reload_ms);
                let (tls, reload) = tls::load(files, every).context("section `tls`")?;
                certificates.spawn(reload.run());
                Some(tls)
            }
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let running = esoz_http::serve(listener, api, tls).context("serving")?;
        if let Some(mongo) = parts.stores.mongo {
            tokio::spawn(make_indexes(mongo, backoff));
        }
        let jobs = Jobs::start(jobs, backoff, &metrics);
        let last_round =
            Duration::from_millis(config.sections.kafka.delivery_timeout_ms.min(LAST_ROUND_MAX_MS));
        let drain = Duration::from_millis(config.sections.http.drain_ms);
        Ok(Self { running, scheme, certificates, watch, metrics: endpoint, jobs, drain, last_round })
    }

    /// How it is spoken to: `http` or `https`.
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// The address that it shows its metrics at, if it does.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|metrics| metrics.address)
    }

    /// Serves until SIGTERM or SIGINT, then stops as [`EsozServer::run_until`] does.
    ///
    /// # Errors
    /// When the server broke down.
    pub async fn run_until_signal(self) -> Result<()> {
        let (mut terminate, mut interrupt) = signals()?;
        self.run_until(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await
    }

    /// Serves until told to stop; then for a while answers everything and sends its clients elsewhere, finishes what is in flight, and
    /// delivers what it can.
    ///
    /// # Errors
    /// When the server broke down.
    pub async fn run_until(self, told_to_stop: impl Future<Output = ()>) -> Result<()> {
        let Self { running, certificates, watch, metrics, jobs, drain, last_round, .. } = self;
        let Running { server, handle, .. } = running;
        let server = tokio::spawn(server);
        told_to_stop.await;
        tracing::info!("stopping: clients are sent elsewhere, requests in flight are finished first");
        watch.health.leave();
        // A connection that is closed between two requests may be closed just when the next one is on its way: so each is closed by an answer.
        tokio::time::sleep(drain).await;
        handle.stop(true).await;
        server.await.context("the server task")?.context("serving")?;
        drop((watch, certificates));
        if !jobs.stop(last_round).await {
            tracing::warn!(
                "the bus did not answer in time; what waits in the outboxes is delivered after the next start"
            );
        }
        if let Some(metrics) = metrics {
            metrics.stop().await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// The longest that the relay's last round may hold up the exit, in milliseconds.
const LAST_ROUND_MAX_MS: u64 = 2_000;

fn signals() -> Result<(Signal, Signal)> {
    let terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok((terminate, interrupt))
}

/// Makes the indexes as soon as MongoDB can be reached.
async fn make_indexes(mongo: Arc<esoz_store_mongo::MongoStore>, backoff: Backoff) {
    let mut failures = 0_u32;
    while let Err(error) = mongo.migrate().await {
        failures = failures.saturating_add(1);
        tracing::warn!(error = error.with_causes(), failures, "MongoDB's indexes could not be made yet");
        tokio::time::sleep(backoff.wait(failures)).await;
    }
}

fn api(
    config: &Config,
    parts: &Parts,
    cached: &Cached,
    doorbell: Arc<Notify>,
    health: Arc<Health>,
    observer: Arc<dyn Observer>,
) -> Result<Api> {
    let Parts { stores, clock, ids, .. } = parts;
    let allowed = config.sections.legal_entity.allowed_types.iter().map(LegalEntityType::new);
    let dispense_ports = DispensePorts {
        dispenses: Arc::new(RingingDispenses { inner: stores.dispenses.clone(), doorbell }),
        legal_entities: cached.legal_entities.clone(),
        allowed_types: AllowedTypes::new(allowed),
        pseudonyms: pseudonyms(config)?,
        clock: clock.clone(),
        ids: ids.clone(),
    };
    let contract_division_ports =
        ContractDivisionPorts { contract_divisions: stores.contract_divisions.clone(), clock: clock.clone() };
    Ok(Api {
        authentication: Authentication::new(
            cached.access_tokens.clone(),
            cached.api_keys.clone(),
            clock.clone(),
        ),
        device_dispenses: DispenseOperations::new(dispense_ports),
        contract_divisions: ContractDivisionOperations::new(contract_division_ports),
        ids: ids.clone(),
        health,
        admission: guards(config, &parts.monotonic_clock)?,
        observer,
        limits: http_limits(config)?,
    })
}

/// The configured pseudonym scheme.
pub(crate) fn pseudonyms(config: &Config) -> Result<Arc<dyn PatientPseudonyms>> {
    match config.pseudonym()? {
        Pseudonym::HmacSha256 { key } => {
            Ok(Arc::new(HmacSha256Pseudonyms::try_new(key.expose()).context("`patient.key`")?))
        }
        Pseudonym::Aes128Cbc { key, iv } => {
            let scheme = Aes128CbcPseudonyms::try_new(key.expose(), iv.expose());
            Ok(Arc::new(scheme.context("`patient.key` and `patient.iv`")?))
        }
    }
}

fn guards(config: &Config, monotonic_clock: &Arc<dyn MonotonicClock>) -> Result<AdmissionControl> {
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
    let workers = match number(http.workers)? {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    };
    Ok(HttpLimits {
        body_max_bytes: number(http.body_max_bytes)?,
        headers_max_bytes: number(http.headers_max_bytes)?,
        headers_max_count: number(http.headers_max_count)?,
        head_timeout_ms: http.head_timeout_ms,
        body_timeout_ms: http.body_timeout_ms,
        request_timeout_ms: http.request_timeout_ms,
        keep_alive_ms: http.keep_alive_ms,
        max_connections: number(http.max_connections)?,
        workers,
        shutdown_timeout_s: http.shutdown_timeout_s,
    })
}
