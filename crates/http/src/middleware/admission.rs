use std::net::IpAddr;
use std::sync::Arc;

use esoz_kernel::{ClientId, Uuid};

use super::auth_failure_limit::AuthFailureLimit;
use super::client_limit::ClientRateLimit;
use super::clock::{FrozenClock, MonotonicClock};
use super::cors::Origins;
use super::in_flight::{InFlight, InFlightPermit};
use super::rate_limit::RateLimitStatus;

/// Limits of admission.
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

/// Admission control of one server, shared by all its workers: load shedding, rate limits and CORS.
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

    /// Admits a request for as long as the permit is held; sheds it when [`AdmissionSettings::max_in_flight`] is reached.
    pub(crate) fn admit(&self) -> Option<InFlightPermit> {
        self.in_flight.enter()
    }

    /// Takes one request from an authenticated client's rate limit; gives what remains, if there is a limit.
    ///
    /// # Errors
    /// The exhausted limit.
    pub(crate) fn check_rate(&self, client: ClientId) -> Result<Option<RateLimitStatus>, RateLimitStatus> {
        self.clients.as_ref().map(|clients| clients.check(client)).transpose()
    }

    /// Refuses an address with too many failed authentications.
    ///
    /// # Errors
    /// The exhausted limit.
    pub(crate) fn check_failures(&self, from: Option<IpAddr>) -> Result<(), RateLimitStatus> {
        let (Some(failures), Some(from)) = (&self.failures, from) else { return Ok(()) };
        failures.check(from)
    }

    /// Records a failed authentication of an address.
    pub(crate) fn record_failure(&self, from: Option<IpAddr>) {
        if let (Some(failures), Some(from)) = (&self.failures, from) {
            failures.record(from);
        }
    }

    /// The web origins that may read answers.
    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }
}

/// The two exhausted rate limits, for the description: requests of a client, failed authentications of an address.
pub(crate) fn exhausted() -> [Option<RateLimitStatus>; 2] {
    let settings = AdmissionSettings {
        requests_per_second: 10,
        burst: 20,
        failed_authentications_per_minute: 10,
        ..AdmissionSettings::default()
    };
    let clock: Arc<dyn MonotonicClock> = Arc::new(FrozenClock);
    let admission = AdmissionControl::new(&settings, &clock);
    let client = ClientId::new(Uuid::nil());
    let requests = (0..=settings.burst).map(|_| admission.check_rate(client)).find_map(Result::err);
    let address = Some(IpAddr::from([192, 0, 2, 1]));
    for _ in 0..settings.failed_authentications_per_minute {
        admission.record_failure(address);
    }
    [requests, admission.check_failures(address).err()]
}
