use std::collections::BTreeMap;
use std::time::Duration;

use esoz_kernel::{Decimal, Timestamp};

/// What an operator decides about creates (`device_dispense.*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePolicy {
    /// Whether a patient must be active (rule 6).
    pub requires_active_patient: bool,
    /// Whether a patient must not be `NOT_VERIFIED` (rule 6).
    pub requires_verified_patient: bool,
    /// Whether the location must be verified in DLS (rule 13).
    pub requires_dls_verification: bool,
    /// How long a dispense may be in progress; `None`: for ever (rule 21).
    pub lifetime: Option<Duration>,
    /// By how much a discount may exceed what is allowed, in hryvnias (rule 32).
    pub discount_tolerance: Decimal,
    /// By which part a discount may stay below what is allowed; `None`: by any (rule 32).
    pub discount_deviation: Option<Decimal>,
    /// How many wrong codes for a request are compared within [`CreatePolicy::WRONG_CODES_WINDOW`] (rule 33).
    pub max_wrong_codes: u32,
    /// The dictionary of units: the name of each code.
    pub units: BTreeMap<String, String>,
}

impl CreatePolicy {
    /// The time for which a wrong code counts.
    pub const WRONG_CODES_WINDOW: Duration = Duration::from_hours(1);

    /// Returns the instant before which a dispense in progress must have been recorded for its lifetime to have passed; `None`: it never has.
    pub fn active_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.lifetime.map(|lifetime| now.saturating_sub(lifetime))
    }
}

impl Default for CreatePolicy {
    fn default() -> Self {
        Self {
            requires_active_patient: false,
            requires_verified_patient: false,
            requires_dls_verification: false,
            lifetime: None,
            discount_tolerance: 0.into(),
            discount_deviation: None,
            max_wrong_codes: 5,
            units: BTreeMap::from([("piece".to_owned(), "шт".to_owned())]),
        }
    }
}
