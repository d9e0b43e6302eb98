//! The contract of the ports, held by registries over HTTP.

use std::sync::Arc;

use esoz_registries::SeparateRegistries;
use esoz_testkit::contract::RegistryStore;

use crate::support::{TestRegistry, TestServer, remote};

async fn registry_over_http() -> RegistryStore {
    let registry = TestRegistry::new();
    let server = TestServer::start(registry.reply()).await;
    RegistryStore {
        registries: Arc::new(SeparateRegistries::of(&Arc::new(remote(&server)))),
        records: registry.records,
        legal_entities: registry.contracts.clone(),
        contracts: registry.contracts,
        keep: Box::new(server),
    }
}

esoz_testkit::registry_lookup_contract!(registry_over_http);
