//! One file per operation: input, error, `execute`.

mod complete;
mod create;
mod expire;
#[cfg(test)]
mod fixtures;
mod list;
mod list_of_patient;
mod mark_in_error;
mod show;
mod signed;
mod stop;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;

use esoz_auth::{Operation, Permit};
use esoz_kernel::{Calendar, Clock, IdGenerator, LegalEntityId, Listed, Page, PatientId, StoreError};
use esoz_legal_entity::{ActiveLegalEntity, AllowedTypes, LegalEntities, LegalEntityError, require_active};

use esoz_registries::Registries;
use esoz_signed_content::{DrfoDigests, MediaStorage, SignatureVerifier};

pub use complete::{CompleteDispense, CompleteError};
pub use create::{CreateDispense, CreateError, CreateInput};
pub use expire::ExpireDispenses;
pub use list::{ListDispenses, ListError, ListInput};
pub use list_of_patient::{ListDispensesOfPatient, ListOfPatientError, ListOfPatientInput};
pub use mark_in_error::{MarkDispenseInError, MarkInErrorError};
pub use show::{ShowDispense, ShowError, ShowInput};
pub use signed::{SignedInput, SignedPorts};
pub use stop::{StopDispense, StopError, StopInput};
pub use sweep::{SweepContainers, Swept};

use crate::{CreatePolicy, DeviceDispenses, Dispense, DispenseWrites, PatientAccess, PatientPseudonyms};

/// The ports of the operations on device dispenses.
#[derive(Clone)]
pub struct DispensePorts {
    /// Where dispenses are kept.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// Where legal entities are looked up.
    pub legal_entities: Arc<dyn LegalEntities>,
    /// The types of legal entity that may act.
    pub allowed_types: AllowedTypes,
    /// The pseudonyms of patients.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
    /// Whose dispenses of a patient a caller may list.
    pub patient_access: Arc<dyn PatientAccess>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The day in Ukraine.
    pub calendar: Arc<dyn Calendar>,
    /// The source of event ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Where dispenses are written together with their requests.
    pub writes: Arc<dyn DispenseWrites>,
    /// What dispenses rest on.
    pub registries: Arc<dyn Registries>,
    /// The digests of taxpayer numbers.
    pub digests: Arc<dyn DrfoDigests>,
    /// Verifies signed documents.
    pub verifier: Arc<dyn SignatureVerifier>,
    /// Keeps signed documents.
    pub media: Arc<dyn MediaStorage>,
}

/// What an operator decides about the operations on device dispenses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispensePolicy {
    /// What is decided about creates.
    pub create: CreatePolicy,
    /// Whether only who recorded a dispense may complete it (K10).
    pub is_author_required: bool,
    /// The dictionary of reasons to mark a dispense in error (E10).
    pub mark_in_error_reasons: BTreeSet<String>,
}

impl Default for DispensePolicy {
    fn default() -> Self {
        let reasons = ["incorrect_patient", "incorrect_device", "duplicate"];
        Self {
            create: CreatePolicy::default(),
            is_author_required: true,
            mark_in_error_reasons: reasons.map(str::to_owned).into(),
        }
    }
}

/// Every operation on device dispenses.
#[derive(Clone)]
pub struct DispenseOperations {
    /// Completes a dispense.
    pub complete: CompleteDispense,
    /// Records a dispense.
    pub create: CreateDispense,
    /// Lists the dispenses of a legal entity.
    pub list: ListDispenses,
    /// Lists the dispenses of a patient.
    pub list_of_patient: ListDispensesOfPatient,
    /// Marks a dispense in error.
    pub mark_in_error: MarkDispenseInError,
    /// Shows a dispense.
    pub show: ShowDispense,
    /// Stops a dispense.
    pub stop: StopDispense,
}

impl DispenseOperations {
    /// Builds the operations on their ports.
    pub fn new(ports: DispensePorts, policy: DispensePolicy) -> Self {
        let DispensePorts {
            dispenses,
            legal_entities,
            allowed_types,
            pseudonyms,
            patient_access,
            clock,
            calendar,
            ids,
            writes,
            registries,
            digests,
            verifier,
            media,
        } = ports;
        let signed = SignedPorts {
            writes: writes.clone(),
            registries: registries.clone(),
            legal_entities: legal_entities.clone(),
            allowed_types: allowed_types.clone(),
            pseudonyms: pseudonyms.clone(),
            digests,
            verifier,
            media,
            clock: clock.clone(),
            calendar: calendar.clone(),
            ids: ids.clone(),
        };
        Self {
            complete: CompleteDispense {
                ports: signed.clone(),
                is_author_required: policy.is_author_required,
            },
            create: CreateDispense {
                writes,
                registries,
                legal_entities: legal_entities.clone(),
                allowed_types: allowed_types.clone(),
                pseudonyms: pseudonyms.clone(),
                clock: clock.clone(),
                calendar,
                ids: ids.clone(),
                policy: policy.create,
            },
            list: ListDispenses { dispenses: dispenses.clone(), pseudonyms: pseudonyms.clone() },
            list_of_patient: ListDispensesOfPatient {
                dispenses: dispenses.clone(),
                pseudonyms: pseudonyms.clone(),
                patient_access,
            },
            mark_in_error: MarkDispenseInError { ports: signed, reasons: policy.mark_in_error_reasons },
            show: ShowDispense { dispenses: dispenses.clone(), pseudonyms: pseudonyms.clone() },
            stop: StopDispense { dispenses, legal_entities, allowed_types, pseudonyms, clock, ids },
        }
    }
}

/// Returns the legal entity that the caller acts for, if it may act (rule 4 of a stop, shared by all operations that write).
async fn active_legal_entity<O: Operation>(
    legal_entities: &dyn LegalEntities,
    allowed_types: &AllowedTypes,
    permit: &Permit<O>,
) -> Result<Result<LegalEntityId, LegalEntityError>, StoreError> {
    let found = legal_entities.find(permit.client().into()).await?;
    Ok(require_active(found.as_ref(), allowed_types).map(ActiveLegalEntity::legal_entity_id))
}

/// A dispense of a list with its patient; `None` where the scheme of pseudonyms is irreversible.
pub type ListedDispense = (Dispense, Option<PatientId>);

/// Adds the patients to a page of a store; `patient` tells the patient of a dispense, or why its subject cannot be read.
fn with_patients(
    Page { items, total_entries }: Page<Result<Dispense, StoreError>>,
    patient: impl Fn(&Dispense) -> Result<Option<PatientId>, StoreError>,
) -> Listed<ListedDispense> {
    let with_patient = |dispense: Dispense| patient(&dispense).map(|patient| (dispense, patient));
    let items = items.into_iter().map(|item| item.and_then(with_patient)).collect();
    Page { items, total_entries }.into()
}
