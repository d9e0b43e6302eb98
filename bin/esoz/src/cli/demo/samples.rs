//! The credentials of a demo, and what its pages fill in.

use anyhow::Result;
use esoz_auth::{Scope, Secret};
use esoz_http::{SampleCall, SampleCaller, SampleRecord, Samples};
use esoz_kernel::system::RandomIds;
use esoz_kernel::{ClientId, IdGenerator as _, UserId};
use jiff::SignedDuration;

use super::data::{
    CONTRACT_DIVISION, Fresh, HEALTH_SERVICE, PATIENT, PHARMACY, USER, new_dispense, new_pair,
};
use crate::cli::credentials::{issue_api_key, issue_token};
use crate::compose::stores::Stores;

/// The lifetime of the tokens.
const TTL: SignedDuration = SignedDuration::from_hours(24);

/// The names of the callers' tokens. The first is that of the published description.
const OF_PHARMACY: &str = "access_token";
const OF_HEALTH_SERVICE: &str = "access_token_of_health_service";

/// The groups of the description.
const DISPENSES: &str = "device dispenses";
const CONTRACTS: &str = "contract divisions";
const EVENTS: &str = "events";

/// The credentials of a demo.
pub(super) struct Credentials {
    /// The pharmacy's token.
    pub(super) pharmacy: Secret,
    /// The National Health Service's token.
    pub(super) health_service: Secret,
    /// The api key of the National Health Service's software.
    pub(super) api_key: Secret,
}

impl Credentials {
    /// Issues fresh ones.
    pub(super) async fn issue(stores: &Stores) -> Result<Self> {
        let dispenses = Scope::parse(
            "device_dispense:stop device_dispense:read event:read device_dispense:write device_dispense:complete \
             device_dispense:mark_in_error",
        );
        let contracts = Scope::parse("private_contracts:write private_contracts:read");
        let (user, health_service) = (UserId::new(USER), ClientId::new(HEALTH_SERVICE));
        Ok(Self {
            pharmacy: issue_token(stores, user, ClientId::new(PHARMACY), dispenses, TTL).await?,
            health_service: issue_token(stores, user, health_service, contracts.clone(), TTL).await?,
            api_key: issue_api_key(stores, health_service, contracts).await?,
        })
    }
}

/// What the pages fill in. Their records are none of those that are printed, so that a request from there succeeds at first.
pub(super) fn samples(credentials: &Credentials, fresh: &Fresh) -> Samples {
    let Fresh { dispenses: [_, _, dispense], requests: [_, _, request] } = fresh;
    let exposed = |secret: &Secret| secret.expose().to_owned();
    let callers = vec![
        SampleCaller {
            scheme: OF_PHARMACY,
            name: "Pharmacy",
            token: exposed(&credentials.pharmacy),
            api_key: None,
        },
        SampleCaller {
            scheme: OF_HEALTH_SERVICE,
            name: "National Health Service",
            token: exposed(&credentials.health_service),
            api_key: Some(exposed(&credentials.api_key)),
        },
    ];
    let records = [
        ("Patient", PATIENT),
        ("Dispense in progress", *dispense),
        ("Device request", *request),
        ("Contract division", CONTRACT_DIVISION),
        ("Pharmacy (client)", PHARMACY),
        ("National Health Service (client)", HEALTH_SERVICE),
        ("User", USER),
    ];
    let records = records.map(|(name, id)| SampleRecord { name, id: id.to_string() }).into();
    let call = |title, group, operation, caller, parameters: &[(_, String)], body| SampleCall {
        title,
        group,
        operation,
        caller,
        parameters: parameters.to_vec(),
        body,
    };
    let patient = || ("patient_id", PATIENT.to_string());
    let of_dispense = || [patient(), ("id", dispense.to_string())];
    let of_contract = || [("id", CONTRACT_DIVISION.to_string())];
    let dispenses = |title, operation, parameters: &[_], body| {
        call(title, DISPENSES, operation, OF_PHARMACY, parameters, body)
    };
    let contracts = |title, operation, parameters: &[_], body| {
        call(title, CONTRACTS, operation, OF_HEALTH_SERVICE, parameters, body)
    };
    let in_progress = ("status", "in_progress".to_owned());
    let recorded = new_dispense(&RandomIds.fresh().to_string(), &request.to_string());
    let calls = vec![
        dispenses(
            Some("Stop a dispense; once more to see a refusal"),
            "stop_device_dispense",
            &of_dispense(),
            None,
        ),
        dispenses(Some("Record a dispense"), "create_device_dispense", &[patient()], Some(recorded)),
        dispenses(Some("Read a dispense"), "show_device_dispense", &of_dispense(), None),
        dispenses(Some("List dispenses in progress"), "list_device_dispenses", &[in_progress], None),
        dispenses(None, "list_device_dispenses_of_patient", &[patient()], None),
        dispenses(None, "complete_device_dispense", &of_dispense(), None),
        dispenses(None, "mark_device_dispense_in_error", &of_dispense(), None),
        contracts(
            Some("Update a contract division"),
            "update_contract_division",
            &of_contract(),
            Some(new_pair()),
        ),
        contracts(None, "create_contract_division", &[], Some(new_pair())),
        contracts(None, "show_contract_division", &of_contract(), None),
        contracts(None, "delete_contract_division", &of_contract(), None),
        contracts(Some("List contract divisions"), "list_contract_divisions", &[], None),
        call(Some("List events"), EVENTS, "list_events", OF_PHARMACY, &[], None),
        call(None, EVENTS, "show_event", OF_PHARMACY, &[], None),
    ];
    Samples { callers, records, calls }
}
