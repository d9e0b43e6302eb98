//! How fast the server is, as ratios to what its databases can do.
//!
//! `cargo xtask bench` runs it; `docs/performance.md` has what came out. Nothing here measures the server from within: it is a process of its
//! own, and so is the load on it ([`drive`]), which is also what the databases are driven with directly.
//!
//! Three ways to do the same work are held against each other, in rounds that alternate, so that whatever else happens on the machine
//! happens to all of them:
//! - **L1**: one request, one write, straight through the native driver,
//! - **L2**: up to [`drive::TOGETHER`] requests per commit, straight through the native driver,
//! - **esoz**: the request over HTTP.

mod cli;
pub mod drive;
pub mod goals;
pub mod groups;
pub mod ids;
pub mod job;
pub mod report;
pub mod stage;
pub mod stats;

pub use cli::main;
