//! Lists of dispenses: [`DeviceDispenses::list`](esoz_device_dispense::DeviceDispenses::list).

mod filters;
mod fixtures;
mod pages;
mod search;

pub use filters::*;
pub use pages::*;
pub use search::*;
