//! Protection of the service from single clients and overload: one file per middleware.

mod admission;
mod auth_failure_limit;
mod chunked_request;
mod client_limit;
mod clock;
mod cors;
mod in_flight;
mod rate_limit;
pub(crate) mod request;
mod slow_client;

pub(crate) use admission::exhausted;
pub use admission::{AdmissionControl, AdmissionSettings};
pub use clock::{MonotonicClock, ProcessClock};
pub(crate) use cors::{AllowedOrigin, Origins};
pub(crate) use in_flight::InFlightPermit;
pub(crate) use rate_limit::RateLimitStatus;
pub(crate) use slow_client::SlowClientGuard;
