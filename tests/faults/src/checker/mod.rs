//! Holds what stores, audit and topic show after a run against the history of the run: a pure function, told by tests that plant a
//! fault of each kind.
//!
//! Every operation took effect at one instant between its beginning and its end, if at all; of one that has no clear answer the end is
//! open. Per entity the stores tell in which order the effects came. What was answered must fit to that.

mod chain;
mod counts;
mod dispenses;
mod expiry;
mod finding;
mod log;
mod pairs;
mod requests;
mod tokens;

pub use counts::check_counts;
pub(crate) use dispenses::deduplicated;
pub use finding::{Finding, Kind};

use crate::history::Operation;
use crate::state::{Loaded, State};
use requests::Requests;

/// What stands against the run; nothing, if all is well.
pub fn check(loaded: &Loaded, history: &[Operation], state: &State) -> Vec<Finding> {
    let requests = Requests::new(history);
    let mut findings = requests.unexpected();
    findings.extend(requests.unresolved());
    findings.extend(tokens::check(loaded, history));
    findings.extend(dispenses::check(loaded, &requests, state));
    findings.extend(expiry::check(loaded, state));
    findings.extend(log::check(state));
    findings.extend(pairs::check(loaded, &requests, state));
    findings
}
