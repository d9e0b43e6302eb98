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

use std::sync::Arc;

use esoz_auth::{Operation, Permit};
use esoz_kernel::{Clock, IdGenerator, LegalEntityId, Listed, Page, PatientId, StoreError};
use esoz_legal_entity::{ActiveLegalEntity, AllowedTypes, LegalEntities, LegalEntityError, require_active};

pub use complete::{CompleteDispense, CompleteError};
pub use create::{CreateDispense, CreateError, CreateInput};
pub use expire::ExpireDispenses;
pub use list::{ListDispenses, ListError, ListInput};
pub use list_of_patient::{ListDispensesOfPatient, ListOfPatientError, ListOfPatientInput};
pub use mark_in_error::{MarkDispenseInError, MarkInErrorError};
pub use show::{ShowDispense, ShowError, ShowInput};
pub use signed::{SignedInput, SignedPorts};
pub use stop::{StopDispense, StopError, StopInput};

use crate::{DeviceDispenses, Dispense, PatientAccess, PatientPseudonyms};

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
    /// The source of event ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// Every operation on device dispenses.
#[derive(Clone)]
pub struct DispenseOperations {
    /// Lists the dispenses of a legal entity.
    pub list: ListDispenses,
    /// Lists the dispenses of a patient.
    pub list_of_patient: ListDispensesOfPatient,
    /// Shows a dispense.
    pub show: ShowDispense,
    /// Stops a dispense.
    pub stop: StopDispense,
}

impl DispenseOperations {
    /// Builds the operations on their ports.
    pub fn new(ports: DispensePorts) -> Self {
        let DispensePorts {
            dispenses,
            legal_entities,
            allowed_types,
            pseudonyms,
            patient_access,
            clock,
            ids,
        } = ports;
        Self {
            list: ListDispenses { dispenses: dispenses.clone(), pseudonyms: pseudonyms.clone() },
            list_of_patient: ListDispensesOfPatient {
                dispenses: dispenses.clone(),
                pseudonyms: pseudonyms.clone(),
                patient_access,
            },
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
