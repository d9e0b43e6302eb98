#![doc = include_str!("../README.md")]

mod model;
mod ports;
mod usecases;

pub use model::facts::{
    Contract, ContractDivision, ContractStatus, ContractType, Current, Division, DivisionStatus, Facts,
    UnknownWord,
};
pub use model::record::{ContractRecord, DivisionRecord};
pub use model::rules::{Change, Expected, Refusal, decide};
pub use ports::{Applied, ContractDivisions, ContractRegistry, Update};
pub use usecases::update::{UpdateContractDivision, UpdateError, UpdateInput, UpdatePermit, UpdatePorts};

#[cfg(any(test, feature = "mock"))]
pub use ports::{MockContractDivisions, MockContractRegistry};
