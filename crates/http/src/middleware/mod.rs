//! What keeps one client, one stranger or one busy minute from taking the service away from everybody else. Each guard has its file;
//! `guard.rs` and the routes ask them.

mod auth_failure_limit;
mod client_limit;
mod clock;
mod cors;
mod in_flight;
mod rate_limit;
pub(crate) mod request;
mod slow_client;

use std::net::IpAddr;
use std::sync::Arc;

use esoz_kernel::{ClientId, Uuid};

use auth_failure_limit::AuthFailureLimit;
use client_limit::ClientRateLimit;
use clock::FrozenClock;
pub use clock::{MonotonicClock, ProcessClock};
pub(crate) use cors::{AllowedOrigin, Origins, preflight};
use in_flight::InFlight;
pub(crate) use in_flight::InFlightPermit;
pub(crate) use rate_limit::RateLimitStatus;
pub(crate) use slow_client::SlowClientGuard;

use crate::error::ApiError;

/// How much is let in.
#[derive(Debug, Clone, Default)]
pub struct AdmissionSettings {
    /// Requests at once, over all workers. Above it they are refused at once.
    pub max_in_flight: usize,
    /// Requests per second for each client in the long run. 0: any number.
    pub requests_per_second: u32,
    /// Requests that a client may send at once after a pause; at least `requests_per_second`.
    pub burst: u32,
    /// Failed authentications per minute for each address. 0: any number.
    pub failed_authentications_per_minute: u32,
    /// Web origins, e.g. `https://mis.example`, whose pages may read answers.
    pub allowed_origins: Vec<String>,
}

/// The guards of one server; all its workers share them.
#[derive(Clone)]
pub struct AdmissionControl {
    in_flight: InFlight,
    clients: Option<Arc<ClientRateLimit>>,
    failures: Option<Arc<AuthFailureLimit>>,
    origins: Arc<Origins>,
}

impl AdmissionControl {
    /// Builds them; budgets fill by that monotonic_clock.
    pub fn new(settings: &AdmissionSettings, monotonic_clock: &Arc<dyn MonotonicClock>) -> Self {
        let clients = ClientRateLimit::new(settings.requests_per_second, settings.burst, monotonic_clock);
        let failures = AuthFailureLimit::new(settings.failed_authentications_per_minute, monotonic_clock);
        Self {
            in_flight: InFlight::new(settings.max_in_flight),
            clients: clients.map(Arc::new),
            failures: failures.map(Arc::new),
            origins: Arc::new(Origins::new(&settings.allowed_origins)),
        }
    }

    /// Lets a request in, for as long as what it gives is held; refuses it when there are too many. Probes are always let in: a server
    /// that is busy is not ill.
    pub(crate) fn enter(&self, path: &str) -> Result<Option<InFlightPermit>, ApiError> {
        if path.starts_with("/health/") {
            return Ok(None);
        }
        self.in_flight.enter().map(Some).ok_or_else(ApiError::overloaded)
    }

    /// Takes one request from the budget of a client that has proved who it is; tells what is remaining of it, if there is a limit.
    pub(crate) fn check_rate(&self, client: ClientId) -> Result<Option<RateLimitStatus>, ApiError> {
        let spent = self.clients.as_ref().map(|clients| clients.check_rate(client));
        spent.transpose().map_err(ApiError::too_many_requests)
    }

    /// Refuses an address that has failed too often to prove who it is.
    pub(crate) fn check_failures(&self, from: Option<IpAddr>) -> Result<(), ApiError> {
        let (Some(failures), Some(from)) = (&self.failures, from) else { return Ok(()) };
        failures.check_failures(from).map_err(ApiError::too_many_failures)
    }

    /// Notes that somebody at that address presented what is not valid.
    pub(crate) fn record_failure(&self, from: Option<IpAddr>) {
        if let (Some(failures), Some(from)) = (&self.failures, from) {
            failures.record(from);
        }
    }

    /// What a web page of the origin that asks may read.
    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }
}

/// What those are answered who ask too often, for the description: each from a guard that has just let somebody do all that it allows.
pub(crate) fn spent() -> [(&'static str, Result<(), ApiError>); 2] {
    let settings = AdmissionSettings {
        requests_per_second: 10,
        burst: 20,
        failed_authentications_per_minute: 10,
        ..AdmissionSettings::default()
    };
    let monotonic_clock: Arc<dyn MonotonicClock> = Arc::new(FrozenClock);
    let guards = AdmissionControl::new(&settings, &monotonic_clock);
    let client = ClientId::new(Uuid::nil());
    let refused = (0..=settings.burst).map(|_| guards.check_rate(client)).find_map(Result::err);
    let stranger = Some(IpAddr::from([192, 0, 2, 1]));
    for _ in 0..settings.failed_authentications_per_minute {
        guards.record_failure(stranger);
    }
    [
        ("too_many_requests", refused.map_or(Ok(()), Err)),
        ("too_many_failures", guards.check_failures(stranger)),
    ]
}
