//! Importing, exporting and finding what a dispense rests on: [`Registries`](esoz_registries::Registries),
//! [`Registry`](esoz_registries::Registry) of every record.

mod content;
mod devices;
mod facts;
mod fixtures;
mod parties;
mod refusals;
mod scans;

pub use content::*;
pub use devices::*;
pub use facts::*;
pub use parties::*;
pub use refusals::*;
pub use scans::*;
