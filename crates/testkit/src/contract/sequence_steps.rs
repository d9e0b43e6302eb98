//! What a sequence of operations is made of, and how one is drawn.

use esoz_device_dispense::DispenseStatus;
use proptest::prelude::*;

/// Of how many dispenses a sequence is about.
pub(super) const DISPENSES: usize = 3;

/// One operation.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Somebody asks to stop one.
    Stop {
        /// Which.
        dispense: usize,
        /// Whether by its owner, else by another pharmacy.
        by_owner: bool,
        /// Whether for its patient, else for another.
        of_patient: bool,
        /// Under which key, if any.
        key: Option<u8>,
    },
    /// Any change of status, whatever the status model says.
    Change {
        /// Which.
        dispense: usize,
        /// Whether by its owner.
        by_owner: bool,
        /// From which status.
        from: DispenseStatus,
        /// To which.
        to: DispenseStatus,
    },
    /// It is loaded, once more or for the first time.
    Load {
        /// Which.
        dispense: usize,
        /// In which status.
        status: DispenseStatus,
    },
    /// Another system writes something that ESOZ does not know.
    WriteUnknown {
        /// Which.
        dispense: usize,
        /// What.
        number: i32,
    },
    /// Time passes.
    Wait {
        /// How much.
        hours: u16,
    },
    /// Old keys are forgotten.
    ForgetKeys,
    /// Waiting events are taken away, of so many entities.
    Deliver {
        /// How many, at most.
        entities: u32,
    },
}

/// Any sequence.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let dispense = || 0..DISPENSES;
    let status = || prop::sample::select(DispenseStatus::ALL.as_slice());
    let mostly = || prop::bool::weighted(0.85);
    let from =
        prop_oneof![2 => Just(DispenseStatus::InProgress), 1 => Just(DispenseStatus::Stopped), 1 => status()];
    let loaded = prop_oneof![3 => Just(DispenseStatus::InProgress), 1 => status()];
    let step = prop_oneof![
        8 => (dispense(), mostly(), mostly(), prop::option::of(0..2_u8))
            .prop_map(|(dispense, by_owner, of_patient, key)| Step::Stop { dispense, by_owner, of_patient, key }),
        4 => (dispense(), mostly(), from, status())
            .prop_map(|(dispense, by_owner, from, to)| Step::Change { dispense, by_owner, from, to }),
        4 => (dispense(), loaded).prop_map(|(dispense, status)| Step::Load { dispense, status }),
        1 => (dispense(), any::<i32>()).prop_map(|(dispense, number)| Step::WriteUnknown { dispense, number }),
        1 => (0..20_u16).prop_map(|hours| Step::Wait { hours }),
        1 => Just(Step::ForgetKeys),
        2 => (1..4_u32).prop_map(|entities| Step::Deliver { entities }),
    ];
    prop::collection::vec(step, 1..30)
}
