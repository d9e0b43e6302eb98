#![doc = include_str!("../README.md")]

mod body;
mod context;
mod credentials;
mod envelope;
mod error;
mod guard;
mod guards;
mod handlers;
mod headers;
mod health;
mod limits;
mod observer;
mod openapi;
mod pieces;
mod server;
mod spans;
mod url;

use std::sync::Arc;

use esoz_auth::Authentication;
use esoz_contract_division::UpdateContractDivision;
use esoz_device_dispense::StopDispense;
use esoz_kernel::IdGenerator;

pub use guards::{GuardSettings, Guards, SinceStart, Stopwatch};
pub use handlers::served;
pub use health::{Condition, Health};
pub use limits::HttpLimits;
pub use observer::{METHODS, Observer, RequestEnded, UNMATCHED, UseCase, routes};
pub use openapi::openapi;
pub use server::{Running, app, serve};

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
    pub guards: Guards,
    /// Who is told what the server does.
    pub observer: Arc<dyn Observer>,
    /// Bounds of a request.
    pub limits: HttpLimits,
}
