//! What a dry run does with a batch in the place of storing it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError, Uuid};
use esoz_registries::{Registry, RegistryRecords};

use crate::outcome::LineResult;
use crate::ports::{ImportPorts, PAGE_RECORDS};
use crate::{Record, RecordKind};

/// The kinds whose records stores look up when others refer to them.
const REFERRED_TO: [RecordKind; 6] = [
    RecordKind::LegalEntity,
    RecordKind::Division,
    RecordKind::Contract,
    RecordKind::Party,
    RecordKind::MedicalProgram,
    RecordKind::DeviceDefinition,
];

/// The ids of the records that others may refer to: those of the input so far, and those of the stores. The stores' ids of a kind are read
/// when the input first refers to a record that it does not have.
pub(crate) struct KnownIds<'a> {
    ports: &'a ImportPorts,
    of_input: HashSet<(RecordKind, Uuid)>,
    of_stores: HashMap<RecordKind, HashSet<Uuid>>,
}

impl<'a> KnownIds<'a> {
    pub(crate) fn new(ports: &'a ImportPorts) -> Self {
        Self { ports, of_input: HashSet::new(), of_stores: HashMap::new() }
    }

    /// Checks that what the record refers to is there; later records may then refer to it.
    ///
    /// # Errors
    /// [`StoreError`] when a store cannot be read.
    pub(crate) async fn check(&mut self, record: &Record) -> Result<LineResult, StoreError> {
        for (kind, id) in record.references() {
            if !self.has(kind, id).await? {
                let missing = format!("its {} {id} is not there", kind.as_str().replace('_', " "));
                return Ok(LineResult::Put(Put::Refused(missing)));
            }
        }
        if REFERRED_TO.contains(&record.kind()) {
            self.of_input.extend(record.id().map(|id| (record.kind(), id)));
        }
        Ok(LineResult::Valid)
    }

    async fn has(&mut self, kind: RecordKind, id: Uuid) -> Result<bool, StoreError> {
        if self.of_input.contains(&(kind, id)) {
            return Ok(true);
        }
        if !self.of_stores.contains_key(&kind) {
            let ids = stored_ids(self.ports, kind).await?;
            self.of_stores.insert(kind, ids);
        }
        Ok(self.of_stores.get(&kind).is_some_and(|ids| ids.contains(&id)))
    }
}

/// Reads the ids of all stored records of a kind. A record that cannot be read is left out.
async fn stored_ids(ports: &ImportPorts, kind: RecordKind) -> Result<HashSet<Uuid>, StoreError> {
    let ImportPorts { legal_entities, contracts, registries, .. } = ports;
    match kind {
        RecordKind::LegalEntity => {
            scan(|after| legal_entities.scan_legal_entities(after, PAGE_RECORDS), Record::LegalEntity).await
        }
        RecordKind::Division => {
            scan(|after| contracts.scan_divisions(after, PAGE_RECORDS), Record::Division).await
        }
        RecordKind::Contract => {
            scan(|after| contracts.scan_contracts(after, PAGE_RECORDS), Record::Contract).await
        }
        RecordKind::Party => scan_registry(registries, Record::Party).await,
        RecordKind::MedicalProgram => scan_registry(registries, Record::MedicalProgram).await,
        RecordKind::DeviceDefinition => scan_registry(registries, Record::DeviceDefinition).await,
        // No store checks a reference to one of these.
        RecordKind::ContractDivision
        | RecordKind::Person
        | RecordKind::Employee
        | RecordKind::ProgramDevice
        | RecordKind::DeviceRequest
        | RecordKind::DeviceDispense => Ok(HashSet::new()),
    }
}

async fn scan_registry<T>(
    registries: &Arc<dyn RegistryRecords>,
    wrap: fn(T) -> Record,
) -> Result<HashSet<Uuid>, StoreError>
where
    dyn RegistryRecords: Registry<T>,
{
    scan(|after| Registry::<T>::scan(&**registries, after, PAGE_RECORDS), wrap).await
}

async fn scan<T, F>(
    page: impl Fn(Option<ScanCursor>) -> F,
    wrap: fn(T) -> Record,
) -> Result<HashSet<Uuid>, StoreError>
where
    F: Future<Output = Result<ScanPage<T>, StoreError>>,
{
    let (mut ids, mut after) = (HashSet::new(), None);
    loop {
        let read = page(after).await?;
        ids.extend(read.records.into_iter().flatten().filter_map(|record| wrap(record).id()));
        after = read.next;
        if after.is_none() {
            return Ok(ids);
        }
    }
}
