#![doc = include_str!("../README.md")]

mod addressing;
mod app;
mod call;
mod chunked_body;
mod context;
mod envelope;
mod error;
mod extract;
mod forwarded;
mod headers;
mod health;
mod inspector;
mod limits;
mod listening;
mod middleware;
mod observer;
mod openapi;
mod pipelining;
mod preflight;
mod routes;
mod server;
mod telemetry;
mod url;
mod workers;

use std::sync::Arc;

use esoz_auth::Authentication;
use esoz_contract_division::ContractDivisionOperations;
use esoz_device_dispense::DispenseOperations;
use esoz_events::EventOperations;
use esoz_kernel::IdGenerator;

pub use addressing::{Addressing, PublicUrl};
pub use app::{Running, app, serve};
pub use health::{Condition, DEVICE_DISPENSES, Health, RESOURCES};
pub use inspector::{Inspector, SampleCall, SampleCaller, SampleRecord, Samples};
pub use limits::HttpLimits;
pub use listening::Listening;
pub use middleware::{AdmissionControl, AdmissionSettings, MonotonicClock, ProcessClock};
pub use observer::{METHODS, Observer, RequestEnded, UNMATCHED};
pub use openapi::document::{ACCESS_TOKEN, openapi};
pub use routes::{group_of, inspector_refusals, lists, operations, outcomes, route_patterns, served};
pub use server::{ConnectionLimits, listen};
pub use workers::Workers;

/// What the routes need: authentication, and the operations of each aggregate.
#[derive(Clone)]
pub struct Api {
    /// Checks tokens and api keys.
    pub authentication: Authentication,
    /// The operations on device dispenses.
    pub device_dispenses: DispenseOperations,
    /// The operations on contract divisions.
    pub contract_divisions: ContractDivisionOperations,
    /// The operations on the event log.
    pub events: EventOperations,
    /// Whether the event log is served. If not, its paths are unknown.
    pub serves_events: bool,
    /// Under which URL the server is reached, and behind which proxies.
    pub addressing: Addressing,
    /// The source of request ids.
    pub ids: Arc<dyn IdGenerator>,
    /// The health of the components behind the server.
    pub health: Arc<Health>,
    /// Load shedding, rate limits and CORS.
    pub admission: AdmissionControl,
    /// Observes requests and operations.
    pub observer: Arc<dyn Observer>,
    /// Whether the log has the whole path of a request that is answered 404. It names a patient: for invented data alone.
    pub logs_not_found_paths: bool,
    /// The request inspector, if its page is served: for invented data alone, since anybody sees what others did.
    pub inspector: Option<Arc<Inspector>>,
    /// Limits of requests and connections.
    pub limits: HttpLimits,
}
