//! A service that keeps its employees in a system of its own, and everything else in a store.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_kernel::{EmployeeId, LegalEntityId, PartyId, StoreError, UserId, Uuid};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, Employee, Employees, Party, ProgramDevice, Registries, RegistryFacts,
    RegistryOverrides, RegistryQuery,
};

// ANCHOR: port
/// A row of the personnel system. Yours has a client of it here.
struct Row {
    person: Uuid,
    pharmacy: Uuid,
    full_name: String,
    is_dismissed: bool,
}

/// The personnel system as a registry of employees.
struct Personnel {
    rows: HashMap<Uuid, Row>,
}

#[async_trait]
impl Employees for Personnel {
    async fn find(&self, id: EmployeeId) -> Result<Option<Employee>, StoreError> {
        // Nobody there is `None`. A system that does not answer is an error, and the caller gets 503:
        // `StoreError::new(StoreErrorKind::Unavailable, "asking the personnel system")`.
        Ok(self.rows.get(&id.uuid()).map(|row| Employee {
            id,
            party: PartyId::new(row.person),
            legal_entity: LegalEntityId::new(row.pharmacy),
            status: Employee::APPROVED.to_owned(),
            is_active: !row.is_dismissed,
            end_date: None,
            name: row.full_name.clone(),
        }))
    }
}
// ANCHOR_END: port

// ANCHOR: compose
/// What `CreateDispense` gets as its `registries`: the store, with the employees of the personnel system.
fn registries(store: Arc<dyn Registries>, personnel: Arc<Personnel>) -> Arc<dyn Registries> {
    RegistryOverrides { employees: Some(personnel), ..RegistryOverrides::default() }.over(store)
}
// ANCHOR_END: compose

/// Stands for the store that keeps the rest.
struct Store;

#[async_trait]
impl Registries for Store {
    async fn facts(&self, _: &RegistryQuery) -> Result<RegistryFacts, StoreError> {
        Ok(RegistryFacts::default())
    }

    async fn program_devices(
        &self,
        _: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        Ok(Vec::new())
    }

    async fn party(&self, _: UserId) -> Result<Option<Party>, StoreError> {
        Ok(None)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (id, nobody) = (Uuid::from_u128(1), Uuid::nil());
    let row = Row { person: id, pharmacy: id, full_name: "Olena".to_owned(), is_dismissed: false };
    let personnel = Arc::new(Personnel { rows: HashMap::from([(id, row)]) });
    let registries = registries(Arc::new(Store), personnel);
    let query = RegistryQuery {
        subject: esoz_kernel::Pseudonym::new("a pseudonym"),
        user: UserId::new(nobody),
        legal_entity: LegalEntityId::new(nobody),
        performer: EmployeeId::new(id),
        location: esoz_kernel::DivisionId::new(nobody),
        program: None,
        definitions: Vec::new(),
        program_devices: DeviceChoice::default(),
    };
    let facts = pollster::block_on(registries.facts(&query))?;
    println!("{}", facts.performer.map_or("nobody".to_owned(), |employee| employee.name));
    Ok(())
}
