//! For tests only: contract suites, in-memory fakes, builders, a manual clock. Starts no process.

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
