#![doc = include_str!("../README.md")]

mod model;
mod operations;
mod ports;

pub use model::facts::{
    Contract, ContractDivision, ContractStatus, ContractType, Current, Division, DivisionStatus, Facts,
};
pub use model::record::{ContractRecord, DivisionRecord};
pub use model::rules::{
    Decide, LookupError, NoRecord, Pair, Refusal, Visibility, decide_create, decide_delete, decide_update,
};
pub use operations::*;
pub use ports::{ContractDivisions, ContractRegistry, Filter, Write};

#[cfg(any(test, feature = "mock"))]
pub use ports::{MockContractDivisions, MockContractRegistry};
