//! Decorators that time every call of a store or of the bus and trace it as a span. They are beneath the caches, so that they measure
//! the store itself.
//!
//! A span has the name of its port and operation, e.g. `store.device_dispenses.commit`, and the fields `store`, `operation` and
//! `outcome`. Its target is [`SPANS`], which the log leaves out at its usual level.

mod instruments;
mod outcomes;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use async_trait::async_trait;
use esoz_auth::{AccessTokens, ApiKeyFacts, ApiKeys, Secret, TokenFacts};
use esoz_contract_division::{ContractDivision, ContractDivisions, Current, Filter, Refusal, Write};
use esoz_device_dispense::{
    self as device_dispense, Change, ChangeRefusal, Create, CreateRefusal, DeviceDispenses, Dispense,
    DispenseFacts, DispenseWrites, Overdue, OverdueFilter, RequestFacts, RequestQuery, StoredDispense,
    Transition,
};
use esoz_events::{
    Backlog, Claim, Claimed, EventFilter, EventLog, EventPosition, EventPublisher, EventRef, LoggedEvent,
    Outbox, PublishError, Refused, SetAside, StatusChangeEvent, Which,
};
use esoz_kernel::{
    Committed, ContractDivisionId, DeviceDefinitionId, DispenseId, DivisionId, EmployeeId, EventId,
    IdempotencyRecords, LegalEntityId, MedicalProgramId, Page, PageRequest, Pseudonym, StoreError, Timestamp,
    UserId, Uuid, Written,
};
use esoz_legal_entity::{LegalEntities, LegalEntity};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, DeviceDefinitions, Employee, Employees, LegalEntityNames, Location,
    Locations, MedicalProgram, MedicalPrograms, Parties, Party, Person, Persons, ProgramDevice,
    ProgramDevices, Registries, RegistryFacts, RegistryOverrides, RegistryQuery,
};
use esoz_registries_remote::RegistryKind;
use tracing::{Instrument as _, Span};

pub(crate) use self::instruments::{Instruments, SPANS};
pub(crate) use self::outcomes::OUTCOMES;
use self::outcomes::{
    CANCELLED, committed, dispense_written, facts_found, found, outcome, published, written,
};
use crate::components::{KAFKA, REGISTRIES, SQLITE, TOKEN_ISSUER};
use crate::compose::Parts;
use crate::compose::stores::store_names;
use crate::config::{Bus, Config, TokenSource};

/// A port whose calls are timed and traced.
struct Instrumented<P: ?Sized> {
    inner: Arc<P>,
    store: &'static str,
    instruments: Arc<Instruments>,
}

impl<P: ?Sized> Instrumented<P> {
    fn new(inner: &Arc<P>, store: &'static str, instruments: &Arc<Instruments>) -> Arc<Self> {
        Arc::new(Self { inner: inner.clone(), store, instruments: instruments.clone() })
    }
}

/// A call in progress. Records its duration and outcome when dropped, and so also when it is cancelled.
struct Call<'a> {
    /// The store, the port and the operation.
    called: [&'static str; 3],
    outcome: &'static str,
    started: Instant,
    span: Span,
    instruments: &'a Instruments,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let ([store, port, operation], outcome) = (self.called, self.outcome);
        self.span.record("outcome", outcome);
        let elapsed = self.started.elapsed().as_secs_f64();
        (self.instruments.durations)([store, port, operation, outcome]).record(elapsed);
    }
}

/// Implements the ports by forwarding every call to the inner port, timed and traced. The outcome comes from [`outcome`], or
/// from the function after `=>`.
macro_rules! instrumented {
    (@outcome $self:ident, ($($argument:ident),*), $answer:ident) => { outcome(&$answer) };
    (@outcome $self:ident, ($($argument:ident),*), $answer:ident, $outcome:ident) => {
        $outcome(&$self.instruments, $($argument,)* &$answer)
    };
    ($($port:ident as $name:literal {
        $($operation:ident($($argument:ident: $kind:ty),*) -> $answer:ty $(=> $outcome:ident)?;)+
    })+) => {
        /// Each port with its operations.
        pub(crate) const OPERATIONS: &[(&str, &[&str])] = &[$(($name, &[$(stringify!($operation)),+])),+];

        $(
            #[async_trait]
            impl $port for Instrumented<dyn $port> {
                $(
                    async fn $operation(&self, $($argument: $kind),*) -> $answer {
                        let span = tracing::info_span!(
                            target: SPANS,
                            concat!("store.", $name, ".", stringify!($operation)),
                            store = self.store,
                            operation = stringify!($operation),
                            outcome = tracing::field::Empty,
                        );
                        let called = [self.store, $name, stringify!($operation)];
                        let (started, instruments) = (Instant::now(), &*self.instruments);
                        let mut call = Call { called, outcome: CANCELLED, started, span, instruments };
                        let answer = self.inner.$operation($($argument),*).instrument(call.span.clone()).await;
                        call.outcome = instrumented!(@outcome self, ($($argument),*), answer $(, $outcome)?);
                        answer
                    }
                )+
            }
        )+
    };
}

instrumented! {
    AccessTokens as "access_tokens" {
        find(presented: &Secret) -> Result<Option<TokenFacts>, StoreError>;
    }
    ApiKeys as "api_keys" {
        find(presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError>;
    }
    LegalEntities as "legal_entities" {
        find(id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError>;
    }
    ContractDivisions as "contract_divisions" {
        find(id: ContractDivisionId) -> Result<Option<Current>, StoreError>;
        list(filter: &Filter, page: PageRequest) -> Result<Page<Result<ContractDivision, StoreError>>, StoreError>;
        write(write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> => written;
    }
    DeviceDispenses as "device_dispenses" {
        find(id: DispenseId) -> Result<Option<StoredDispense>, StoreError> => found;
        list(filter: &device_dispense::Filter, page: PageRequest)
            -> Result<Page<Result<Dispense, StoreError>>, StoreError>;
        overdue(filter: &OverdueFilter, limit: u32) -> Result<Vec<Overdue>, StoreError>;
        commit(change: &Transition) -> Result<Committed<Dispense>, StoreError> => committed;
    }
    Registries as "registries" {
        facts(query: &RegistryQuery) -> Result<RegistryFacts, StoreError>;
        program_devices(choice: &DeviceChoice) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError>;
        party(user: UserId) -> Result<Option<Party>, StoreError>;
    }
    Persons as "persons" {
        find(subject: &Pseudonym) -> Result<Option<Person>, StoreError>;
    }
    Parties as "parties" {
        of_user(user: UserId) -> Result<Option<Party>, StoreError>;
    }
    Employees as "employees" {
        find(id: EmployeeId) -> Result<Option<Employee>, StoreError>;
    }
    Locations as "locations" {
        find(id: DivisionId) -> Result<Option<Location>, StoreError>;
    }
    LegalEntityNames as "legal_entity_names" {
        find(id: LegalEntityId) -> Result<Option<String>, StoreError>;
    }
    MedicalPrograms as "medical_programs" {
        find(id: MedicalProgramId) -> Result<Option<MedicalProgram>, StoreError>;
    }
    DeviceDefinitions as "device_definitions" {
        find_all(ids: &[DeviceDefinitionId]) -> Result<Vec<DeviceDefinition>, StoreError>;
    }
    ProgramDevices as "program_devices" {
        find_all(choice: &DeviceChoice) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError>;
    }
    DispenseWrites as "dispense_writes" {
        request_facts(query: &RequestQuery) -> Result<RequestFacts, StoreError>;
        create(create: &Create) -> Result<Written<Dispense, CreateRefusal>, StoreError> => dispense_written;
        facts(id: DispenseId) -> Result<DispenseFacts, StoreError> => facts_found;
        change(change: &Change) -> Result<Written<Dispense, ChangeRefusal>, StoreError> => dispense_written;
    }
    Outbox as "outbox" {
        claim(claim: &Claim) -> Result<Claimed, StoreError>;
        remove(delivered: &[EventRef]) -> Result<(), StoreError>;
        set_aside(refused: &[Refused], now: Timestamp) -> Result<(), StoreError>;
        release(by: Uuid) -> Result<(), StoreError>;
        backlog() -> Result<Backlog, StoreError>;
        list_set_aside(limit: u32) -> Result<Vec<SetAside>, StoreError>;
        retry(which: &Which) -> Result<u64, StoreError>;
        drop_set_aside(id: &str) -> Result<bool, StoreError>;
    }
    EventLog as "event_log" {
        store(events: &[LoggedEvent]) -> Result<u64, StoreError>;
        find(id: EventId) -> Result<Option<LoggedEvent>, StoreError>;
        list(filter: &EventFilter, page: PageRequest) -> Result<Page<Result<LoggedEvent, StoreError>>, StoreError>;
        nth_newest(n: u64) -> Result<Option<EventPosition>, StoreError>;
        remove_before(position: EventPosition, limit: u32) -> Result<u64, StoreError>;
    }
    IdempotencyRecords as "key_records" {
        purge_expired(until: Timestamp, most: u32) -> Result<u64, StoreError>;
    }
    EventPublisher as "event_publisher" {
        publish(events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> => published;
    }
}

/// Instruments every port that requests and jobs use.
pub(crate) fn instrument(config: &Config, mut parts: Parts, instruments: &Arc<Instruments>) -> Result<Parts> {
    let (contracts, dispenses) = store_names(config)?;
    let tokens = match config.token_source()? {
        TokenSource::Store => contracts,
        TokenSource::Jwt | TokenSource::Introspection | TokenSource::Esoz => TOKEN_ISSUER,
    };
    let bus = match config.bus()? {
        Bus::Log => SQLITE,
        Bus::Kafka => KAFKA,
    };
    let stores = &mut parts.stores;
    stores.access_tokens = Instrumented::new(&stores.access_tokens, tokens, instruments);
    stores.api_keys = Instrumented::new(&stores.api_keys, contracts, instruments);
    let is_remote = config.remote_registries()?.contains(&RegistryKind::LegalEntities);
    let legal_entities = if is_remote { REGISTRIES } else { contracts };
    stores.legal_entities = Instrumented::new(&stores.legal_entities, legal_entities, instruments);
    instrument_overrides(&mut stores.registry_overrides, instruments);
    stores.contract_divisions = Instrumented::new(&stores.contract_divisions, contracts, instruments);
    stores.registries = Instrumented::new(&stores.registries, contracts, instruments);
    stores.dispenses = Instrumented::new(&stores.dispenses, dispenses, instruments);
    stores.dispense_writes = Instrumented::new(&stores.dispense_writes, dispenses, instruments);
    stores.event_log = Instrumented::new(&stores.event_log, contracts, instruments);
    for (store, outbox) in &mut stores.outboxes {
        *outbox = Instrumented::new(outbox, store, instruments);
    }
    for (store, keys) in &mut stores.keys {
        *keys = Instrumented::new(keys, store, instruments);
    }
    parts.publisher = Instrumented::new(&parts.publisher, bus, instruments);
    Ok(parts)
}

/// Instruments every registry that is not in a store.
fn instrument_overrides(overrides: &mut RegistryOverrides, instruments: &Arc<Instruments>) {
    macro_rules! each {
        ($($port:ident),+) => {$(
            if let Some(port) = &mut overrides.$port {
                *port = Instrumented::new(port, REGISTRIES, instruments);
            }
        )+};
    }
    each!(persons, parties, employees, locations, legal_entity_names, medical_programs);
    each!(device_definitions, program_devices);
}

#[cfg(test)]
mod tests;
