#![doc = include_str!("../README.md")]

mod error;
mod id;
pub mod idempotency;
mod pool;
mod ports;
mod record;
mod request_id;
#[cfg(feature = "system")]
pub mod system;
pub mod time;
mod trace_context;

pub use error::{ErrorKind, Failure, StoreError, StoreErrorKind, with_causes};
pub use id::{
    ClientId, ContractDivisionId, ContractId, DispenseId, DivisionId, EventId, IdError, LegalEntityId,
    PatientId, UserId,
};
pub use idempotency::{IdempotencyKey, IdempotentRequest, Replay};
pub use jiff::{Timestamp, civil::Date as CivilDate};
pub use pool::PoolStatus;
pub use ports::{Clock, IdGenerator, IdempotencyRecords};
pub use record::{Put, Stamps};
pub use request_id::RequestId;
pub use trace_context::TraceContext;
pub use uuid::Uuid;
