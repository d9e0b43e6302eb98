#![doc = include_str!("../README.md")]

mod decimal;
mod exact;
mod failure;
mod id;
pub mod idempotency;
mod join;
#[cfg(feature = "json")]
pub mod json;
mod page;
mod ports;
mod pseudonym;
mod record;
mod request_id;
mod scan;
mod secret_string;
mod store_error;
#[cfg(feature = "system")]
pub mod system;
pub mod time;
mod timestamp;
mod trace_context;
mod words;

pub use decimal::lossless_f64;
pub use exact::{Decimal, InvalidDecimal};
pub use failure::{ErrorKind, Failure, with_causes};
pub use id::{
    ClientId, ContractDivisionId, ContractId, DeviceDefinitionId, DeviceRequestId, DispenseId, DivisionId,
    EmployeeId, EventId, IdError, LegalEntityId, MedicalProgramId, PartyId, PatientId, ProgramDeviceId,
    UserId, parse_uuid,
};
pub use idempotency::{Committed, IdempotencyError, IdempotencyKey, IdempotentRequest, Replay, Written};
pub use jiff::civil::Date as CivilDate;
pub use join::join;
pub use page::{Listed, Page, PageRequest};
pub use ports::{Calendar, Clock, IdGenerator, IdempotencyRecords, PoolStatus};
pub use pseudonym::Pseudonym;
pub use record::{Put, Stamps};
pub use request_id::RequestId;
pub use scan::{ScanCursor, ScanPage, is_full_page};
pub use secret_string::SecretString;
pub use store_error::{StoreError, StoreErrorKind};
pub use timestamp::{TimeError, Timestamp};
pub use trace_context::TraceContext;
pub use uuid::Uuid;
pub use words::UnknownWord;
