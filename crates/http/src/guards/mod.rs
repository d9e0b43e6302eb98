//! What keeps one client, one stranger or one busy minute from taking the service away from everybody else. Each guard has its file;
//! `guard.rs` and the handlers ask them.

mod budget;
mod clients;
mod cors;
mod failures;
mod in_flight;
mod pace;
mod stopwatch;

use std::net::IpAddr;
use std::sync::Arc;

use esoz_kernel::{ClientId, Uuid};

pub(crate) use budget::Budget;
use clients::Clients;
pub(crate) use cors::{AllowedOrigin, Origins, preflight};
use failures::Failures;
pub(crate) use in_flight::Held;
use in_flight::InFlight;
pub(crate) use pace::Connection;
use stopwatch::Stopped;
pub use stopwatch::{SinceStart, Stopwatch};

use crate::error::ApiError;

/// How much is let in.
#[derive(Debug, Clone, Default)]
pub struct GuardSettings {
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
pub struct Guards {
    in_flight: InFlight,
    clients: Option<Arc<Clients>>,
    failures: Option<Arc<Failures>>,
    origins: Arc<Origins>,
}

impl Guards {
    /// Builds them; budgets fill by that stopwatch.
    pub fn new(settings: &GuardSettings, stopwatch: &Arc<dyn Stopwatch>) -> Self {
        let clients = Clients::new(settings.requests_per_second, settings.burst, stopwatch);
        let failures = Failures::new(settings.failed_authentications_per_minute, stopwatch);
        Self {
            in_flight: InFlight::new(settings.max_in_flight),
            clients: clients.map(Arc::new),
            failures: failures.map(Arc::new),
            origins: Arc::new(Origins::new(&settings.allowed_origins)),
        }
    }

    /// Lets a request in, for as long as what it gives is held; refuses it when there are too many. Probes are always let in: a server
    /// that is busy is not ill.
    pub(crate) fn enter(&self, path: &str) -> Result<Option<Held>, ApiError> {
        if path.starts_with("/health/") {
            return Ok(None);
        }
        self.in_flight.enter().map(Some).ok_or_else(ApiError::overloaded)
    }

    /// Takes one request from the budget of a client that has proved who it is; tells what is left of it, if there is a limit.
    pub(crate) fn spend(&self, client: ClientId) -> Result<Option<Budget>, ApiError> {
        let spent = self.clients.as_ref().map(|clients| clients.spend(client));
        spent.transpose().map_err(ApiError::too_many_requests)
    }

    /// Refuses an address that has failed too often to prove who it is.
    pub(crate) fn may_try(&self, from: Option<IpAddr>) -> Result<(), ApiError> {
        let (Some(failures), Some(from)) = (&self.failures, from) else { return Ok(()) };
        failures.may_try(from).map_err(ApiError::too_many_failures)
    }

    /// Notes that somebody at that address presented what is not valid.
    pub(crate) fn note_failure(&self, from: Option<IpAddr>) {
        if let (Some(failures), Some(from)) = (&self.failures, from) {
            failures.note(from);
        }
    }

    /// What a web page of the origin that asks may read.
    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }
}

/// What those are answered who ask too often, for the description: each from a guard that has just let somebody do all that it allows.
pub(crate) fn spent() -> [(&'static str, Result<(), ApiError>); 2] {
    let settings = GuardSettings {
        requests_per_second: 10,
        burst: 20,
        failed_authentications_per_minute: 10,
        ..GuardSettings::default()
    };
    let stopwatch: Arc<dyn Stopwatch> = Arc::new(Stopped);
    let guards = Guards::new(&settings, &stopwatch);
    let client = ClientId::new(Uuid::nil());
    let refused = (0..=settings.burst).map(|_| guards.spend(client)).find_map(Result::err);
    let stranger = Some(IpAddr::from([192, 0, 2, 1]));
    for _ in 0..settings.failed_authentications_per_minute {
        guards.note_failure(stranger);
    }
    [("too_many_requests", refused.map_or(Ok(()), Err)), ("too_many_failures", guards.may_try(stranger))]
}
