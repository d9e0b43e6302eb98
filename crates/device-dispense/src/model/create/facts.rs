use esoz_kernel::{CivilDate, LegalEntityId, Pseudonym, Timestamp, UserId};
use esoz_registries::RegistryFacts;

use super::body::NewDispense;
use super::policy::CreatePolicy;
use crate::model::request::DeviceRequest;
use crate::ports::Basis;

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
