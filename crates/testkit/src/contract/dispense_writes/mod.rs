//! Recording dispenses, and changing them with their requests: [`DispenseWrites`](esoz_device_dispense::DispenseWrites).

mod change_decided;
mod change_keys;
mod change_races;
mod changes;
mod codes;
mod corrupt;
mod create_keys;
mod create_races;
mod creates;
mod facts;
pub(super) mod fixtures;

pub use change_decided::*;
pub use change_keys::*;
pub use change_races::*;
pub use changes::*;
pub use codes::*;
pub use corrupt::*;
pub use create_keys::*;
pub use create_races::*;
pub use creates::*;
pub use facts::*;
