//! The service in memory: the real routes, guards and use cases on stores that need nothing, asked without a socket, and captured as an
//! operator hears it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::dev::Service as _;
use actix_web::http::header::HeaderMap;
use actix_web::rt::{System, SystemRunner};
use actix_web::test::{TestRequest, init_service};
use esoz_auth::{AccessTokens, ApiKeys, Authentication, NewAccessToken, NewApiKey, Scope, Secret, TokenKind};
use esoz_contract_division::ContractDivisionOperations;
use esoz_device_dispense::{
    Access, DispenseOperations, DispensePolicy, DispensePorts, PatientPseudonyms, StaticPatientAccess,
};
use esoz_events::EventOperations;
use esoz_http::{
    Addressing, AdmissionControl, AdmissionSettings, Api, Health, HttpLimits, MonotonicClock, ProcessClock,
    app,
};
use esoz_import::{ImportLimits, ImportPorts, Importer};
use esoz_kernel::system::KyivCalendar;
use esoz_kernel::{ClientId, Clock, IdGenerator, Timestamp, UserId, Uuid};
use esoz_legal_entity::AllowedTypes;
use esoz_pseudonym::{HmacDrfoDigests, HmacSha256Pseudonyms};
use esoz_signed_content::{Drfo, UnsignedDocuments};
use esoz_testkit::clock::{ManualClock, SequentialIds};
use esoz_testkit::fakes::{
    FakeContracts, FakeCredentials, FakeDispenses, FakeEventLog, FakeMediaStorage, FakeRegistries,
};
use tracing::Dispatch;

use crate::captured_log::{CapturedLog, subscriber};

/// The data set that `esoz demo` loads.
pub(crate) const DATA: &str = include_str!("../../../bin/esoz/src/cli/demo_data.ndjson");

/// A token that may stop dispenses of [`PHARMACY`].
pub(crate) const STOP_TOKEN: &str = "stop-token-canary-7f3a";
/// A token that may read dispenses of [`PHARMACY`].
pub(crate) const READ_TOKEN: &str = "read-token-canary-7f3a";
/// A token of the pharmacist who recorded [`DISPENSE`], that may record, complete and mark in error dispenses of [`PHARMACY`].
pub(crate) const DISPENSE_TOKEN: &str = "dispense-token-canary-7f3a";
/// A token that may update contract divisions.
pub(crate) const UPDATE_TOKEN: &str = "update-token-canary-7f3a";
/// An api key that may update contract divisions.
pub(crate) const API_KEY: &str = "api-key-canary-7f3a";

pub(crate) const PHARMACY: &str = "1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10";
pub(crate) const PATIENT: &str = "aff00bf6-68bf-4b49-b66d-f031d48922b3";
pub(crate) const DISPENSE: &str = "29dc859e-37fa-481d-8526-e95ac76036dd";
pub(crate) const DEVICE_DEFINITION: &str = "bf65be27-c083-4aa6-be1f-72e35091cf66";
/// The taxpayer number of the pharmacist, who has signed every document.
pub(crate) const DRFO: &str = "3126509816";
const PHARMACIST: &str = "5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01";
pub(crate) const CONTRACT_DIVISION: &str = "07ba637c-15d8-46fb-8304-c738a54e14bb";
pub(crate) const NEW_DIVISION: &str = "b2651e27-c083-41a6-9ebf-72e35091cf66";
pub(crate) const NEW_CONTRACT: &str = "e598415a-f3b6-44d9-81e2-a516832cf299";

/// What the service says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// What it wrote into its log meanwhile.
    pub(crate) log: String,
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

type Call = Box<dyn Fn(TestRequest) -> Pin<Box<dyn Future<Output = (u16, HeaderMap, Vec<u8>)>>>>;

/// The service, on the thread that made it.
pub(crate) struct Service {
    system: SystemRunner,
    call: Call,
    log: CapturedLog,
    dispatch: Dispatch,
}

/// Who tells callers apart.
pub(crate) type Gate = (Arc<dyn AccessTokens>, Arc<dyn ApiKeys>);

impl Service {
    /// The service with the data set of the demo, and the tokens above.
    pub(crate) fn with_data() -> Self {
        Self::new(None)
    }

    /// The same behind another gate.
    pub(crate) fn behind(gate: Gate) -> Self {
        Self::new(Some(gate))
    }

    fn new(gate: Option<Gate>) -> Self {
        let system = System::new();
        let log = CapturedLog::default();
        let call = system.block_on(async {
            let api = api(gate).await;
            let service = std::rc::Rc::new(init_service(app(api)).await);
            let call: Call = Box::new(move |request| {
                let service = service.clone();
                Box::pin(async move {
                    let response = match service.call(request.to_request()).await {
                        Ok(answered) => answered.into_parts().1.map_into_boxed_body(),
                        Err(error) => error.error_response(),
                    };
                    let (status, headers) = (response.status().as_u16(), response.headers().clone());
                    let body = to_bytes(response.into_body()).await.expect("a body in memory");
                    (status, headers, body.to_vec())
                })
            });
            call
        });
        let dispatch = Dispatch::new(subscriber(log.clone()));
        Self { system, call, log, dispatch }
    }

    /// Asks.
    pub(crate) fn ask(&self, request: TestRequest) -> Answer {
        let work = (self.call)(request);
        let (status, headers, body) =
            tracing::dispatcher::with_default(&self.dispatch, || self.system.block_on(work));
        Answer { status, headers, body, log: self.log.take() }
    }
}

/// What stands for patients.
pub(crate) fn pseudonyms() -> Arc<dyn PatientPseudonyms> {
    Arc::new(HmacSha256Pseudonyms::try_new("a secret that only fuzz targets know").expect("a long secret"))
}

/// What stands for taxpayer numbers.
pub(crate) fn drfo_digests() -> HmacDrfoDigests {
    HmacDrfoDigests::try_new("a secret that only fuzz targets know").expect("a long secret")
}

/// What time it always is.
pub(crate) fn now() -> Timestamp {
    "2026-01-31T08:16:30.123456Z".parse().expect("a time")
}

/// Stores in memory, as an import takes them.
pub(crate) fn import_ports() -> (ImportPorts, FakeStores) {
    let contracts = Arc::new(FakeContracts::default());
    let registries = Arc::new(FakeRegistries::beside(contracts.clone()));
    let stores = FakeStores { contracts, registries, writes: FakeDispenses::writes_under_test() };
    let ports = ImportPorts {
        legal_entities: stores.contracts.clone(),
        contracts: stores.contracts.clone(),
        registries: stores.registries.clone(),
        drfo_digests: Arc::new(drfo_digests()),
        device_requests: stores.writes.requests.clone(),
        dispenses: stores.writes.dispenses.registry.clone(),
        pseudonyms: pseudonyms(),
        clock: Arc::new(ManualClock::new(now())),
    };
    (ports, stores)
}

/// Stores in memory.
pub(crate) struct FakeStores {
    contracts: Arc<FakeContracts>,
    registries: Arc<FakeRegistries>,
    writes: esoz_testkit::contract::DispenseWriteStore,
}

async fn api(gate: Option<Gate>) -> Api {
    let (ports, stores) = import_ports();
    let loaded = Importer::new(ports, ImportLimits::default()).run(DATA.as_bytes(), |_| {}).await;
    assert_eq!(loaded.expect("stores in memory").bad_lines, 0);
    let (tokens, keys) = match gate {
        Some(gate) => gate,
        None => registered().await,
    };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now()));
    let ids: Arc<dyn IdGenerator> = Arc::new(SequentialIds::default());
    let dispense_ports = DispensePorts {
        dispenses: stores.writes.dispenses.dispenses,
        legal_entities: stores.contracts.clone(),
        allowed_types: AllowedTypes::default(),
        pseudonyms: pseudonyms(),
        patient_access: Arc::new(StaticPatientAccess(Access::Own)),
        clock: clock.clone(),
        calendar: Arc::new(KyivCalendar::new().expect("the time zone data that are compiled in")),
        ids: ids.clone(),
        writes: stores.writes.writes,
        registries: stores.registries,
        digests: Arc::new(drfo_digests()),
        verifier: Arc::new(UnsignedDocuments::new(Drfo::parse(DRFO))),
        media: Arc::new(FakeMediaStorage::default()),
    };
    let contract_divisions = ContractDivisionOperations::new(stores.contracts, clock.clone(), ids.clone());
    let monotonic_clock: Arc<dyn MonotonicClock> = Arc::new(ProcessClock::default());
    let guards = AdmissionSettings {
        max_in_flight: 8,
        allowed_origins: vec!["https://mis.example".to_owned()],
        ..AdmissionSettings::default()
    };
    Api {
        authentication: Authentication::new(tokens, keys, clock.clone()),
        device_dispenses: DispenseOperations::new(dispense_ports, DispensePolicy::default()),
        contract_divisions,
        events: EventOperations::new(Arc::new(FakeEventLog::default()), clock.clone(), 1),
        serves_events: true,
        addressing: Addressing::direct(SocketAddr::from(([127, 0, 0, 1], 8080)), false),
        ids,
        health: Arc::new(Health::new([], now())),
        admission: AdmissionControl::new(&guards, &monotonic_clock),
        observer: Arc::new(()),
        logs_not_found_paths: false,
        inspector: None,
        limits: limits(),
    }
}

fn limits() -> HttpLimits {
    HttpLimits {
        body_max_bytes: 2_048,
        signed_body_max_bytes: 4_096,
        headers_max_bytes: 2_048,
        headers_max_count: 64,
        head_timeout_ms: 5_000,
        body_timeout_ms: 10_000,
        request_timeout_ms: 30_000,
        keep_alive_ms: 5_000,
        max_connections: 8,
        workers: 1,
        shutdown_timeout_s: 1,
    }
}

async fn registered() -> Gate {
    let store = FakeCredentials::under_test();
    let client = |id: &str| ClientId::new(id.parse::<Uuid>().expect("a UUID"));
    let (pharmacy, health_service) = (client(PHARMACY), client("3b8e4c90-5d79-4f2d-8c4e-7e7c6dae3f32"));
    let somebody = UserId::new(Uuid::from_u128(7));
    let pharmacist = PHARMACIST.parse().expect("a user");
    let writes = "device_dispense:write device_dispense:complete device_dispense:mark_in_error";
    for (token, user_id, client_id, scope) in [
        (STOP_TOKEN, somebody, pharmacy, "device_dispense:stop"),
        (READ_TOKEN, somebody, pharmacy, "device_dispense:read"),
        (DISPENSE_TOKEN, pharmacist, pharmacy, writes),
        (UPDATE_TOKEN, somebody, health_service, "private_contracts:write"),
    ] {
        let token = NewAccessToken {
            digest: Secret::new(token).digest(),
            kind: TokenKind::Access,
            user_id,
            client_id,
            scope: Scope::parse(scope),
            expires_at: "2026-02-01T00:00:00Z".parse().expect("a time"),
            issued_at: now(),
        };
        store.credentials.add_token(&token).await.expect("a store in memory");
    }
    let key = NewApiKey {
        digest: Secret::new(API_KEY).digest(),
        client_id: health_service,
        scope: Scope::parse("private_contracts:write"),
        issued_at: now(),
    };
    store.credentials.add_api_key(&key).await.expect("a store in memory");
    (store.tokens, store.api_keys)
}
