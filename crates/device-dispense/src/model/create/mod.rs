//! The rules of a create (section 5), each a pure function of facts, in the order of the table: patient, performer, location, request, program,
//! devices, program devices, quantities, prices, code.

mod body;
mod code;
mod devices;
mod faults;
mod location;
mod patient;
mod performer;
mod prices;
mod program;
mod program_devices;
mod quantities;
mod record;
mod refusal;
mod request;
mod texts;

use std::collections::BTreeMap;
use std::time::Duration;

use esoz_kernel::{CivilDate, Decimal, LegalEntityId, Pseudonym, Timestamp, UserId};
use esoz_registries::{DeviceChoice, DeviceDefinition, ProgramDevice, RegistryFacts};

pub use body::{AnyReference, Named, NewDetail, NewDevice, NewDispense};
pub use faults::Faults;
pub use refusal::CreateRefusal;

use super::dispense::Dispense;
use super::request::DeviceRequest;
use crate::ports::Basis;

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

/// What a create rests on, but for what the store of dispenses knows.
#[derive(Debug, Clone)]
pub struct CreateFacts {
    /// What is to be recorded.
    pub body: NewDispense,
    /// The patient.
    pub subject: Pseudonym,
    /// The legal entity that records it, which is active.
    pub owner: LegalEntityId,
    /// The user.
    pub user: UserId,
    /// The time of the create, in milliseconds.
    pub at: Timestamp,
    /// The day in Ukraine.
    pub today: CivilDate,
    /// What the registries know.
    pub registries: RegistryFacts,
    /// What the operator has decided.
    pub policy: CreatePolicy,
}

/// What the store of dispenses knows. Holds until the create commits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestFacts {
    /// The request, if there is one with that id.
    pub request: Option<DeviceRequest>,
    /// Whether a dispense has the id already.
    pub is_id_taken: bool,
    /// Whether a dispense of the request is in progress, and recorded at [`CreatePolicy::active_since`] or later, or at no time that can be read.
    pub has_active_dispense: bool,
    /// How many wrong codes were given for the request within the window.
    pub wrong_codes: u32,
    /// The time of the oldest of them.
    pub oldest_wrong_code: Option<Timestamp>,
    /// What the store compares.
    pub basis: Basis,
}

impl CreateFacts {
    /// Chooses the program devices among which rule 19 looks for one that fits, if none of those that are dispensed does; `None` when there is
    /// nothing to look for.
    pub fn further_devices(&self, found: &RequestFacts) -> Option<DeviceChoice> {
        let program = self.body.program.as_ref()?.id;
        let request = found.request.as_ref()?;
        let is_decided = program::check(&self.body, request, &self.registries, self.today).is_ok();
        (!is_decided).then(|| request.device.choice(program))
    }

    /// Adds program devices, each with its definition, to those that are known.
    pub fn add_program_devices(&mut self, further: Vec<(ProgramDevice, DeviceDefinition)>) {
        let known = &mut self.registries.program_devices;
        for device in further {
            if !known.iter().any(|(one, _)| one.id == device.0.id) {
                known.push(device);
            }
        }
    }

    /// Decides what is recorded: the first rule that fails answers.
    ///
    /// # Errors
    /// [`CreateRefusal`]
    pub fn decide(&self, found: &RequestFacts) -> Result<Dispense, CreateRefusal> {
        let Self { body, registries, owner, today, policy, .. } = self;
        patient::check(registries.person.as_ref(), policy)?; // rules 5, 6
        let performer = performer::check(registries, *owner, *today)?; // 7 to 9
        let location = location::check(registries.location.as_ref(), *owner, policy)?; // 10 to 13
        let request = request::check(found, body, &self.subject, *today)?; // 14 to 18
        program::check(body, request, registries, *today)?; // 19
        request::check_dispenses(found, request)?; // 20, 21
        let definitions = devices::check(body, request, registries)?; // 22 to 26
        let program_devices = program_devices::check(body, request, registries, &definitions, *today)?; // 27, 28
        quantities::check(body, request)?; // 29, 30
        let allowed = prices::check(body, &program_devices, policy)?; // 31, 32
        code::check(body, request, found, policy, self.at)?; // 33
        Ok(self.dispense(performer, location, &program_devices, &allowed))
    }
}

#[cfg(test)]
mod tests;
