//! One fault of each kind, planted into a run.

mod answers;
mod events;
mod run;
mod state;

use run::Fault;

/// All that are planted.
pub(crate) fn faults() -> impl Iterator<Item = &'static Fault> {
    [state::FAULTS, events::FAULTS, answers::FAULTS].into_iter().flatten()
}
