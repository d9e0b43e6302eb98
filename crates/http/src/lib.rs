#![doc = include_str!("../README.md")]

mod app;
mod chunked_body;
mod context;

mod envelope;
mod error;
mod extract;

mod headers;
mod health;
mod limits;
mod middleware;
mod observer;
mod openapi;
mod routes;

mod spans;
mod url;

use std::sync::Arc;

use esoz_auth::Authentication;
use esoz_contract_division::UpdateContractDivision;
use esoz_device_dispense::StopDispense;
use esoz_kernel::IdGenerator;

pub use app::{Running, app, serve};
pub use health::{Condition, Health};
pub use limits::HttpLimits;
pub use middleware::{AdmissionControl, AdmissionSettings, MonotonicClock, ProcessClock};
pub use observer::{METHODS, Observer, RequestEnded, UNMATCHED, UseCase, route_patterns};
pub use openapi::openapi;
pub use routes::served;

/// What the routes need: who calls, and one use case per method.
#[derive(Clone)]
pub struct Api {
    /// Checks tokens and api keys.
    pub authentication: Authentication,
    /// Method 1.
    pub stop_dispense: StopDispense,
    /// Method 2.
    pub update_contract_division: UpdateContractDivision,
    /// Where a request without an id of its own gets one.
    pub ids: Arc<dyn IdGenerator>,
    /// How everything behind the server is.
    pub health: Arc<Health>,
    /// Who is let in, and how much.
    pub admission: AdmissionControl,
    /// Who is told what the server does.
    pub observer: Arc<dyn Observer>,
    /// Bounds of a request.
    pub limits: HttpLimits,
}
