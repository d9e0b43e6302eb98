//! Loads records into the stores of a test app.

use esoz_contract_division::{ContractDivision, ContractRecord, DivisionRecord};
use esoz_device_dispense::{DeviceRequestRecord, Dispense};
use esoz_kernel::Put;
use esoz_legal_entity::LegalEntityRecord;
use esoz_registries::{Registry, RegistryRecords};

use crate::TestApp;

impl TestApp {
    /// Loads a legal entity, new or changed.
    pub async fn put_legal_entity(&self, record: &LegalEntityRecord) {
        assert_put(
            &self
                .stores
                .legal_entity_registry
                .put_legal_entities(std::slice::from_ref(record))
                .await
                .unwrap(),
        );
    }

    /// Loads a division, new or changed.
    pub async fn put_division(&self, record: &DivisionRecord) {
        assert_put(&self.stores.contract_registry.put_divisions(std::slice::from_ref(record)).await.unwrap());
    }

    /// Loads a contract, new or changed.
    pub async fn put_contract(&self, record: &ContractRecord) {
        assert_put(&self.stores.contract_registry.put_contracts(std::slice::from_ref(record)).await.unwrap());
    }

    /// Loads a new contract division.
    pub async fn put_contract_division(&self, record: &ContractDivision) {
        let put = self.stores.contract_registry.put_contract_divisions(std::slice::from_ref(record)).await;
        assert_put(&put.unwrap());
    }

    /// Loads a record of an administrative registry, new or changed.
    pub async fn put_record<R>(&self, record: &R)
    where
        dyn RegistryRecords: Registry<R>,
    {
        let records = &*self.stores.registry_records;
        assert_put(&Registry::put(records, std::slice::from_ref(record)).await.unwrap());
    }

    /// Loads a device request, new or changed.
    pub async fn put_device_request(&self, record: &DeviceRequestRecord) {
        assert_put(&self.stores.device_requests.put(std::slice::from_ref(record)).await.unwrap());
    }

    /// Loads a new dispense.
    pub async fn put_dispense(&self, dispense: &Dispense) {
        let put = self.stores.dispense_registry.put_dispenses(std::slice::from_ref(dispense)).await;
        assert_put(&put.unwrap());
    }
}

/// Holds what loading one record did against what it must have done.
#[track_caller]
fn assert_put(put: &[Put]) {
    assert!(matches!(put, [Put::Created | Put::Updated]), "{put:?}");
}
