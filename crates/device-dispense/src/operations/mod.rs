//! One file per operation: input, error, `execute`.

mod show;
mod stop;

use std::sync::Arc;

use esoz_kernel::{Clock, IdGenerator};
use esoz_legal_entity::{AllowedTypes, LegalEntities};

pub use show::{ShowDispense, ShowError, ShowInput};
pub use stop::{StopDispense, StopError, StopInput};

use crate::{DeviceDispenses, PatientPseudonyms};

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
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The source of event ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// Every operation on device dispenses.
#[derive(Clone)]
pub struct DispenseOperations {
    /// Shows a dispense.
    pub show: ShowDispense,
    /// Stops a dispense.
    pub stop: StopDispense,
}

impl DispenseOperations {
    /// Builds the operations on their ports.
    pub fn new(ports: DispensePorts) -> Self {
        let DispensePorts { dispenses, legal_entities, allowed_types, pseudonyms, clock, ids } = ports;
        Self {
            show: ShowDispense { dispenses: dispenses.clone(), pseudonyms: pseudonyms.clone() },
            stop: StopDispense { dispenses, legal_entities, allowed_types, pseudonyms, clock, ids },
        }
    }
}
