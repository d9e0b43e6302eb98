//! Facts, writes, their audit, and races: [`ContractDivisions`](esoz_contract_division::ContractDivisions).

mod apply;
mod audit;
mod create_delete;
mod create_delete_races;
mod facts;
pub(super) mod fixtures;
mod keys;
mod list;
mod races;
mod together;

pub use apply::*;
pub use audit::*;
pub use create_delete::*;
pub use create_delete_races::*;
pub use facts::*;
pub use keys::*;
pub use list::*;
pub use races::*;
pub use together::*;
