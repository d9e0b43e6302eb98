use std::sync::Arc;

use esoz_contract_division::ContractRegistry;
use esoz_device_dispense::{DeviceRequestRecord, DispenseRegistry, PatientPseudonyms};
use esoz_kernel::Clock;
use esoz_legal_entity::LegalEntityRegistry;
use esoz_registries::{Registry, RegistryRecords};
use esoz_signed_content::DrfoDigests;

/// The number of records in a page of a scan, and between two reports of an export's progress.
pub(crate) const PAGE_RECORDS: u32 = 500;

/// The ports of an import and of an export.
#[derive(Clone)]
pub struct ImportPorts {
    /// Stores and scans legal entities.
    pub legal_entities: Arc<dyn LegalEntityRegistry>,
    /// Stores and scans divisions, contracts and contract divisions.
    pub contracts: Arc<dyn ContractRegistry>,
    /// Stores and scans persons, parties, employees, medical programs, device definitions and program devices.
    pub registries: Arc<dyn RegistryRecords>,
    /// Stores and scans device requests.
    pub device_requests: Arc<dyn Registry<DeviceRequestRecord>>,
    /// Stores and scans dispenses.
    pub dispenses: Arc<dyn DispenseRegistry>,
    /// Computes the pseudonym of a patient, and tells the patient of one if the scheme can.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
    /// Computes the digest of a taxpayer number.
    pub drfo_digests: Arc<dyn DrfoDigests>,
    /// Gives the time of an import.
    pub clock: Arc<dyn Clock>,
}
