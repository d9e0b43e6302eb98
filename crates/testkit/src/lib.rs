#![doc = include_str!("../README.md")]

pub mod builders;
pub mod clock;
pub mod contract;
pub mod contract_divisions;
pub mod doubles;
pub mod drawn;
pub mod fakes;
pub mod planned_lists;
pub mod registries;
pub mod wait;

#[doc(hidden)]
pub use tokio;
