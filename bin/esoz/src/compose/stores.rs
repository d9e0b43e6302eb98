//! Which store implements each port.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_auth::{AccessTokens, ApiKeys, Blocks, Credentials};
use esoz_contract_division::{ContractDivisions, ContractRegistry};
use esoz_device_dispense::{
    DeviceDispenses, DeviceRequestRecord, DispenseRegistry, DispenseWrites, PseudonymFingerprints,
};
use esoz_events::{Backlog, EventLog, Outbox};
use esoz_kernel::{IdempotencyRecords, StoreError};
use esoz_legal_entity::{LegalEntities, LegalEntityRegistry};
use esoz_registries::{Registries, Registry, RegistryOverrides, RegistryRecords};

use super::database::{Database, LogBus};
use super::registries::RegistryService;
use super::tokens::TokenIssuer;
use crate::components::{MONGODB, POSTGRESQL, SQLITE};
use crate::config::{Config, StoreKind};

/// Returns the names of the configured stores in metrics and logs: the store of everything but dispenses, then the store of dispenses.
pub(crate) fn store_names(config: &Config) -> Result<(&'static str, &'static str)> {
    Ok(match config.store_kind()? {
        StoreKind::Sqlite => (SQLITE, SQLITE),
        StoreKind::Servers => (POSTGRESQL, MONGODB),
    })
}

/// Every store port, with the adapters of the configured stores.
#[derive(Clone)]
pub struct Stores {
    /// Looks up access tokens.
    pub access_tokens: Arc<dyn AccessTokens>,
    /// Looks up api keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Looks up blocked users and clients.
    pub blocks: Arc<dyn Blocks>,
    /// Issues and revokes credentials, blocks users and clients.
    pub credentials: Arc<dyn Credentials>,
    /// Looks up legal entities.
    pub legal_entities: Arc<dyn LegalEntities>,
    /// Imports legal entities.
    pub legal_entity_registry: Arc<dyn LegalEntityRegistry>,
    /// Looks up, lists and updates contract divisions.
    pub contract_divisions: Arc<dyn ContractDivisions>,
    /// Imports divisions, contracts and contract divisions.
    pub contract_registry: Arc<dyn ContractRegistry>,
    /// Looks up what a dispense rests on.
    pub registries: Arc<dyn Registries>,
    /// Looks up what is not in the store.
    pub registry_overrides: RegistryOverrides,
    /// Imports persons, parties, employees, medical programs, device definitions and program devices.
    pub registry_records: Arc<dyn RegistryRecords>,
    /// Imports device requests.
    pub device_requests: Arc<dyn Registry<DeviceRequestRecord>>,
    /// Records device dispenses, and changes them together with their requests.
    pub dispense_writes: Arc<dyn DispenseWrites>,
    /// Looks up and updates device dispenses.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// Imports device dispenses.
    pub dispense_registry: Arc<dyn DispenseRegistry>,
    /// Remembers with which scheme and key the pseudonyms of the store of dispenses are made.
    pub pseudonym_fingerprints: Arc<dyn PseudonymFingerprints>,
    /// The outboxes, each with the name of its store; that of device dispenses comes first.
    pub outboxes: Vec<(&'static str, Arc<dyn Outbox>)>,
    /// The event log.
    pub event_log: Arc<dyn EventLog>,
    /// The idempotency records, each with the name of their store.
    pub keys: Vec<(&'static str, Arc<dyn IdempotencyRecords>)>,
    /// The databases of these stores.
    pub(crate) databases: Vec<Arc<dyn Database>>,
    /// The bus of a server without a broker, if a store has one.
    pub(super) log_bus: Option<Arc<dyn LogBus>>,
    /// The remote issuer of access tokens, if they are not in a store of ours.
    pub(crate) token_issuer: Option<Arc<TokenIssuer>>,
    /// The registries that are asked over HTTP, if there are any.
    pub(crate) registry_service: Option<Arc<RegistryService>>,
}

impl Stores {
    /// The backlog of all outboxes together.
    ///
    /// # Errors
    /// When an outbox cannot be read.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let mut all = Backlog::default();
        for (_, outbox) in &self.outboxes {
            let one = outbox.backlog().await?;
            all.depth += one.depth;
            all.set_aside += one.set_aside;
            all.oldest = all.oldest.into_iter().chain(one.oldest).min();
        }
        Ok(all)
    }

    /// The log to which events are delivered without a broker.
    ///
    /// # Errors
    /// When no store has one.
    pub(crate) fn log_bus(&self) -> Result<Arc<dyn LogBus>> {
        self.log_bus.clone().context("`events.bus` is `log`, but no SQLite file is open to keep the log")
    }

    /// Puts the registries that are asked over HTTP in the place of the stores.
    pub(super) fn use_registries(&mut self, service: RegistryService) {
        if let Some(legal_entities) = service.legal_entities() {
            self.legal_entities = legal_entities;
        }
        service.replace(&mut self.registry_overrides);
        self.registry_service = Some(Arc::new(service));
    }

    /// The ports of a store that keeps everything but dispenses, and of one that keeps those; no outboxes and no keys.
    pub fn of<S, D>(store: &Arc<S>, dispenses: &Arc<D>) -> Self
    where
        S: AccessTokens + ApiKeys + Blocks + Credentials + LegalEntities + LegalEntityRegistry,
        S: ContractDivisions + ContractRegistry + Registries + RegistryRecords + EventLog + 'static,
        D: DeviceDispenses + DispenseRegistry + DispenseWrites + Registry<DeviceRequestRecord>,
        D: PseudonymFingerprints + 'static,
    {
        Self {
            access_tokens: store.clone(),
            api_keys: store.clone(),
            blocks: store.clone(),
            credentials: store.clone(),
            legal_entities: store.clone(),
            legal_entity_registry: store.clone(),
            contract_divisions: store.clone(),
            contract_registry: store.clone(),
            registries: store.clone(),
            registry_overrides: RegistryOverrides::default(),
            registry_records: store.clone(),
            device_requests: dispenses.clone(),
            dispense_writes: dispenses.clone(),
            dispenses: dispenses.clone(),
            dispense_registry: dispenses.clone(),
            pseudonym_fingerprints: dispenses.clone(),
            outboxes: Vec::new(),
            event_log: store.clone(),
            keys: Vec::new(),
            databases: Vec::new(),
            log_bus: None,
            token_issuer: None,
            registry_service: None,
        }
    }
}
