use std::sync::Arc;

use esoz_contract_division::ContractRegistry;
use esoz_device_dispense::{DispenseRegistry, PatientPseudonyms};
use esoz_kernel::Clock;
use esoz_legal_entity::LegalEntityRegistry;

/// The ports of an import.
#[derive(Clone)]
pub struct ImportPorts {
    /// Stores legal entities.
    pub legal_entities: Arc<dyn LegalEntityRegistry>,
    /// Stores divisions, contracts and contract divisions.
    pub contracts: Arc<dyn ContractRegistry>,
    /// Stores dispenses.
    pub dispenses: Arc<dyn DispenseRegistry>,
    /// Computes the pseudonym of a patient.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
    /// Gives the time of the import.
    pub clock: Arc<dyn Clock>,
}
