#![doc = include_str!("../README.md")]

mod model;
mod ports;
mod usecases;

pub use model::dispense::{Dispense, Pseudonym, RECORD_FIELDS};
pub use model::rules::{Refusal, may_undergo};
pub use model::status::{DispenseStatus, Operation, TRANSITIONS, Transition, UnknownStatus, allows};
pub use ports::{Changed, DeviceDispenses, DispenseRegistry, PatientPseudonyms, StatusChange};
pub use usecases::stop::{StopDispense, StopError, StopInput, StopPermit, StopPorts};

#[cfg(any(test, feature = "mock"))]
pub use ports::{MockDeviceDispenses, MockDispenseRegistry, MockPatientPseudonyms};
