use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use esoz_kernel::ClientId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::clock::MonotonicClock;
use super::cors::Origins;
use super::rate_limit::{RateLimitStatus, RateLimiter};
use crate::health::RESOURCES;

/// The name of the limit of a client's requests.
const CLIENT: &str = "client";
/// The name of the limit of an address's failed authentications.
const FAILED_AUTHENTICATIONS: &str = "failed-authentications";

/// Limits of admission.
#[derive(Debug, Clone, Default)]
pub struct AdmissionSettings {
    /// Requests in flight, over all workers. Any more are refused at once. Those for one resource are three quarters of them at most, so that a
    /// resource whose store is slow leaves room for the others.
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
    in_flight: Arc<Semaphore>,
    /// The part of `in_flight` that one resource may take, by the order of [`RESOURCES`].
    shares: [Arc<Semaphore>; RESOURCES.len()],
    /// Keyed by authenticated client, so that unauthenticated requests neither use up a client's quota nor grow the map.
    clients: Option<Arc<RateLimiter<ClientId>>>,
    /// Slows down guessing. Behind a proxy that is not trusted all clients share its address.
    failures: Option<Arc<RateLimiter<IpAddr>>>,
    /// The web origins that may read answers.
    pub(crate) origins: Arc<Origins>,
}

impl AdmissionControl {
    /// Creates it with limits that refill by that clock.
    pub fn new(settings: &AdmissionSettings, clock: &Arc<dyn MonotonicClock>) -> Self {
        let (per_second, per_minute) =
            (settings.requests_per_second, settings.failed_authentications_per_minute);
        let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
        let burst = settings.burst.max(per_second);
        let clients = RateLimiter::new(CLIENT, per_second, second, burst, clock);
        let failures = RateLimiter::new(FAILED_AUTHENTICATIONS, per_minute, minute, per_minute, clock);
        Self {
            in_flight: semaphore(settings.max_in_flight),
            shares: [(); RESOURCES.len()]
                .map(|()| semaphore(settings.max_in_flight - settings.max_in_flight / 4)),
            clients: clients.map(Arc::new),
            failures: failures.map(Arc::new),
            origins: Arc::new(Origins::new(&settings.allowed_origins)),
        }
    }

    /// Admits a request of a route for as long as the permits are held; sheds it when [`AdmissionSettings::max_in_flight`] is reached, or the share of
    /// the route's resource. None waits: it would be better served by another replica.
    pub(crate) fn admit(&self, route: &str) -> Option<Vec<OwnedSemaphorePermit>> {
        let share = RESOURCES.iter().zip(&self.shares);
        let share = share.filter(|(resource, _)| route.split('/').any(|segment| segment == **resource));
        let places = share.map(|(_, share)| share).chain([&self.in_flight]);
        places.map(|places| Arc::clone(places).try_acquire_owned().ok()).collect()
    }

    /// Takes one request from an authenticated client's rate limit; returns what remains, if there is a limit.
    ///
    /// # Errors
    /// The exhausted limit.
    pub(crate) fn check_rate(&self, client: ClientId) -> Result<Option<RateLimitStatus>, RateLimitStatus> {
        self.clients.as_ref().map(|clients| clients.take(client)).transpose()
    }

    /// Refuses an address with too many failed authentications.
    ///
    /// # Errors
    /// The exhausted limit.
    pub(crate) fn check_failures(&self, from: Option<IpAddr>) -> Result<(), RateLimitStatus> {
        let (Some(failures), Some(from)) = (&self.failures, from) else { return Ok(()) };
        failures.check(&network(from))
    }

    /// Records a failed authentication of an address. One beyond the limit, of a request that was admitted before, changes nothing.
    pub(crate) fn record_failure(&self, from: Option<IpAddr>) {
        if let (Some(failures), Some(from)) = (&self.failures, from) {
            let _ = failures.take(network(from));
        }
    }
}

fn semaphore(places: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))
}

/// The address, or the network that belongs to one subscriber (IPv6).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        address @ IpAddr::V4(_) => address,
    }
}

/// Exhausted limits for the description: requests of a client, 10 a second in bursts of 20, and 10 failed authentications a minute of an
/// address.
pub(crate) const EXHAUSTED: [RateLimitStatus; 2] = [
    RateLimitStatus { name: CLIENT, quota: 20, window_s: 2, remaining: 0, reset_s: 1 },
    RateLimitStatus { name: FAILED_AUTHENTICATIONS, quota: 10, window_s: 60, remaining: 0, reset_s: 6 },
];

#[cfg(test)]
mod tests {
    use super::super::clock::tests::Manual;
    use super::*;

    fn admission(settings: &AdmissionSettings) -> AdmissionControl {
        let clock: Arc<dyn MonotonicClock> = Arc::new(Manual::default());
        AdmissionControl::new(settings, &clock)
    }

    #[test]
    fn a_place_is_free_again_however_its_holder_ended() {
        let admission = admission(&AdmissionSettings { max_in_flight: 1, ..AdmissionSettings::default() });
        let held = admission.admit("");
        assert!(held.is_some());
        assert!(admission.admit("").is_none());
        drop(held);
        let held = admission.admit("");
        assert!(held.is_some());
        let panicked = std::thread::spawn(move || {
            let _held = held;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(admission.admit("").is_some());
    }

    #[test]
    fn a_resource_leaves_a_quarter_of_the_places_to_the_others() {
        let admission = admission(&AdmissionSettings { max_in_flight: 8, ..AdmissionSettings::default() });
        let (updates, stops) =
            ("/api/admin/contract_divisions/{id}", "/api/device_dispenses/{id}/actions/stop");
        let held: Vec<_> = (0..8).map_while(|_| admission.admit(updates)).collect();
        assert_eq!(held.len(), 6);
        let others: Vec<_> = (0..8).map_while(|_| admission.admit(stops)).collect();
        assert_eq!(others.len(), 2, "in all there are eight");
        drop(held);
        assert!(admission.admit(updates).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_stranger() {
        let settings =
            AdmissionSettings { failed_authentications_per_minute: 1, ..AdmissionSettings::default() };
        let admission = admission(&settings);
        let address = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        admission.record_failure(address("2001:db8:1:2::1"));
        assert!(admission.check_failures(address("2001:db8:1:2:ffff::2")).is_err());
        assert!(admission.check_failures(address("2001:db8:1:3::1")).is_ok());
        admission.record_failure(address("::ffff:192.0.2.1"));
        assert!(admission.check_failures(address("192.0.2.1")).is_err());
    }

    #[test]
    fn the_limits_of_the_description_are_limits_that_can_be_exhausted() {
        let admission = admission(&AdmissionSettings {
            requests_per_second: 10,
            burst: 20,
            failed_authentications_per_minute: 10,
            ..AdmissionSettings::default()
        });
        let client = ClientId::new(esoz_kernel::Uuid::nil());
        let requests = (0..=20).find_map(|_| admission.check_rate(client).err());
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        (0..10).for_each(|_| admission.record_failure(address));
        assert_eq!([requests, admission.check_failures(address).err()], EXHAUSTED.map(Some));
    }
}
