//! Protection of the service from single clients and overload: one file per middleware.

mod admission;
mod chunked_request;
mod clock;
mod cors;
mod rate_limit;
pub(crate) mod request;
mod slow_client;

pub(crate) use admission::EXHAUSTED;
pub use admission::{AdmissionControl, AdmissionSettings};
pub use clock::{MonotonicClock, ProcessClock};
pub(crate) use cors::AllowedOrigin;
pub(crate) use rate_limit::RateLimitStatus;
pub(crate) use slow_client::SlowClientGuard;
