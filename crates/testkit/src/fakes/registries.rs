use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_kernel::{
    DeviceDefinitionId, EmployeeId, MedicalProgramId, PartyId, ProgramDeviceId, Pseudonym, Put, ScanCursor,
    ScanPage, Stamps, StoreError,
};
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord, Registry, SeparateRegistries,
};

use super::contract_registry::{Renewable, renew};
use super::{FakeContracts, Locked, scan_by_key};
use crate::contract::RegistryStore;

/// The administrative registries in memory. Legal entities and divisions are those of a [`FakeContracts`].
#[derive(Debug, Default)]
pub struct FakeRegistries {
    pub(super) contracts: Arc<FakeContracts>,
    pub(super) state: Locked<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) persons: HashMap<Pseudonym, PersonRecord>,
    pub(super) parties: HashMap<PartyId, PartyRecord>,
    pub(super) employees: HashMap<EmployeeId, EmployeeRecord>,
    pub(super) medical_programs: HashMap<MedicalProgramId, MedicalProgramRecord>,
    pub(super) device_definitions: HashMap<DeviceDefinitionId, DeviceDefinitionRecord>,
    pub(super) program_devices: HashMap<ProgramDeviceId, ProgramDeviceRecord>,
}

impl FakeRegistries {
    /// Empty ones, beside legal entities and divisions.
    pub fn beside(contracts: Arc<FakeContracts>) -> Self {
        Self { contracts, ..Self::default() }
    }

    /// Empty ones, as the contract suites want them.
    pub fn under_test() -> RegistryStore {
        let contracts = Arc::new(FakeContracts::default());
        let fake = Arc::new(Self::beside(contracts.clone()));
        RegistryStore {
            registries: fake.clone(),
            records: fake,
            legal_entities: contracts.clone(),
            contracts,
            keep: Box::new(()),
        }
    }

    /// Empty ones, each found through a port of its own, as the contract suite wants them.
    pub fn separate_under_test() -> RegistryStore {
        let contracts = Arc::new(FakeContracts::default());
        let fake = Arc::new(Self::beside(contracts.clone()));
        RegistryStore {
            registries: Arc::new(SeparateRegistries::of(&fake)),
            records: fake,
            legal_entities: contracts.clone(),
            contracts,
            keep: Box::new(()),
        }
    }

    /// Why the record cannot be stored: its legal entity is not there.
    fn missing_legal_entity(&self, employee: &EmployeeRecord) -> Option<String> {
        let id = employee.facts.legal_entity;
        let is_there = self.contracts.0.lock().legal_entities.contains_key(&id);
        (!is_there).then(|| format!("its legal entity {id} is not there"))
    }
}

impl State {
    /// Why the party cannot be stored: another one has one of its users.
    fn user_of_another(&self, party: &PartyRecord) -> Option<String> {
        let others = self.parties.values().filter(|other| other.facts.id != party.facts.id);
        let mut users = others.flat_map(|other| other.users.iter().map(|user| (*user, other.facts.id)));
        let (user, other) = users.find(|(user, _)| party.users.contains(user))?;
        Some(format!("its user {user} belongs to party {other}"))
    }

    fn missing_party(&self, employee: &EmployeeRecord) -> Option<String> {
        let id = employee.facts.party;
        (!self.parties.contains_key(&id)).then(|| format!("its party {id} is not there"))
    }

    fn missing_of_program_device(&self, device: &ProgramDeviceRecord) -> Option<String> {
        let (program, definition) = (device.facts.program, device.facts.device_definition);
        if !self.medical_programs.contains_key(&program) {
            return Some(format!("its medical program {program} is not there"));
        }
        let is_there = self.device_definitions.contains_key(&definition);
        (!is_there).then(|| format!("its device definition {definition} is not there"))
    }
}

/// Implements a registry: its table, its key, the bytes of a key, and why a record is refused.
macro_rules! registry {
    ($($Record:ty: $table:ident by $($key:ident).+, $bytes:expr, $refused:expr;)+) => {$(
        impl Renewable for $Record {
            fn stamps(&mut self) -> &mut Stamps {
                &mut self.stamps
            }
        }

        #[async_trait]
        impl Registry<$Record> for FakeRegistries {
            async fn put(&self, records: &[$Record]) -> Result<Vec<Put>, StoreError> {
                let refused: fn(&Self, &State, &$Record) -> Option<String> = $refused;
                let mut state = self.state.lock();
                let put = |record: &$Record| match refused(self, &state, record) {
                    Some(reason) => Put::Refused(reason),
                    None => renew(&mut state.$table, record.$($key).+.clone(), record),
                };
                Ok(records.iter().map(put).collect())
            }

            async fn scan(
                &self,
                after: Option<ScanCursor>,
                limit: u32,
            ) -> Result<ScanPage<$Record>, StoreError> {
                let state = self.state.lock();
                Ok(scan_by_key(&state.$table, $bytes, after, limit, |_, record| Ok(record.clone())))
            }
        }
    )+};
}

registry! {
    PersonRecord: persons by subject, |subject| subject.expose().into(), |_, _, _| None;
    PartyRecord: parties by facts.id, |id| (*id.uuid().as_bytes()).into(),
        |_, state, party| state.user_of_another(party);
    EmployeeRecord: employees by facts.id, |id| (*id.uuid().as_bytes()).into(),
        |fake, state, employee| state.missing_party(employee).or_else(|| fake.missing_legal_entity(employee));
    MedicalProgramRecord: medical_programs by id, |id| (*id.uuid().as_bytes()).into(), |_, _, _| None;
    DeviceDefinitionRecord: device_definitions by facts.id, |id| (*id.uuid().as_bytes()).into(), |_, _, _| None;
    ProgramDeviceRecord: program_devices by facts.id, |id| (*id.uuid().as_bytes()).into(),
        |_, state, device| state.missing_of_program_device(device);
}
