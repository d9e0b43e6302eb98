//! For tests only: contract suites, fakes, builders, starters for real servers

pub mod builders;
pub mod clock;
pub mod contract;
pub mod drawn;
pub mod fakes;
pub mod proxy;
#[cfg(feature = "raw")]
pub mod raw;
pub mod servers;
pub mod wait;

#[doc(hidden)]
pub use tokio;
