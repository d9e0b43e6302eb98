//! The credentials of a demo, and what its pages fill in.

use anyhow::Result;
use esoz_auth::{CallerKind, Operation, OperationInfo, Scope, Secret};
use esoz_contract_division::{
    CreateContractDivision, DeleteContractDivision, ListContractDivisions, ShowContractDivision,
    UpdateContractDivision,
};
use esoz_device_dispense::{
    CompleteDispense, CreateDispense, ListDispenses, ListDispensesOfPatient, MarkDispenseInError,
    ShowDispense, StopDispense,
};
use esoz_events::{ListEvents, ShowEvent};
use esoz_http::{ACCESS_TOKEN, SampleCall, SampleCaller, SampleRecord, Samples};
use esoz_kernel::system::RandomIds;
use esoz_kernel::{ClientId, IdGenerator as _, SecretString, UserId};
use jiff::SignedDuration;
use serde_json::Value;

use super::data::{
    CONTRACT_DIVISION, Fresh, HEALTH_SERVICE, PATIENT, PHARMACY, USER, new_dispense, new_pair,
};
use crate::cli::credentials::{issue_api_key, issue_token};
use crate::compose::stores::Stores;

/// The lifetime of the tokens.
const TTL: SignedDuration = SignedDuration::from_hours(24);

/// The names of the callers' tokens. The first is that of the published description.
const OF_PHARMACY: &str = ACCESS_TOKEN;
const OF_HEALTH_SERVICE: &str = "access_token_of_health_service";

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
        let dispenses = scope_of(CallerKind::User);
        let contracts = scope_of(CallerKind::UserWithApiKey);
        let (user, health_service) = (UserId::new(USER), ClientId::new(HEALTH_SERVICE));
        Ok(Self {
            pharmacy: issue_token(stores, user, ClientId::new(PHARMACY), dispenses, TTL).await?,
            health_service: issue_token(stores, user, health_service, contracts.clone(), TTL).await?,
            api_key: issue_api_key(stores, health_service, contracts).await?,
        })
    }
}

/// The scope for every operation of such callers.
fn scope_of(caller: CallerKind) -> Scope {
    let operations = esoz_http::operations().into_iter().filter(|operation| operation.caller == caller);
    let scopes: Vec<_> = operations.map(|OperationInfo { scope, .. }| scope).collect();
    Scope::parse(&scopes.join(" "))
}

/// A request of one operation, by the caller that it is for.
fn call<O: Operation>(
    title: Option<&'static str>,
    parameters: &[(&'static str, String)],
    body: Option<Value>,
) -> SampleCall {
    let caller = match O::CALLER {
        CallerKind::User => OF_PHARMACY,
        CallerKind::UserWithApiKey => OF_HEALTH_SERVICE,
    };
    let (group, operation, parameters) = (esoz_http::group_of::<O>(), O::NAME, parameters.to_vec());
    SampleCall { title, group, operation, caller, parameters, body }
}

/// What the pages fill in. Their records are none of those that are printed, so that a request from there succeeds at first.
pub(super) fn samples(credentials: &Credentials, fresh: &Fresh) -> Samples {
    let Fresh { dispense_of_pages: dispense, request_of_pages: request, .. } = fresh;
    let shown = |secret: &Secret| SecretString::new(secret.expose());
    let callers = vec![
        SampleCaller {
            scheme: OF_PHARMACY,
            name: "Pharmacy",
            token: shown(&credentials.pharmacy),
            api_key: SecretString::default(),
        },
        SampleCaller {
            scheme: OF_HEALTH_SERVICE,
            name: "National Health Service",
            token: shown(&credentials.health_service),
            api_key: shown(&credentials.api_key),
        },
    ];
    let records = [
        ("Patient", PATIENT),
        ("Dispense, in progress at first", *dispense),
        ("Device request", *request),
        ("Contract division", CONTRACT_DIVISION),
        ("Pharmacy (client)", PHARMACY),
        ("National Health Service (client)", HEALTH_SERVICE),
        ("User", USER),
    ];
    let records = records.map(|(name, id)| SampleRecord { name, id: id.to_string() }).into();
    let patient = || ("patient_id", PATIENT.to_string());
    let of_dispense = [patient(), ("id", dispense.to_string())];
    let of_contract = [("id", CONTRACT_DIVISION.to_string())];
    let in_progress = ("status", "in_progress".to_owned());
    let recorded = new_dispense(&RandomIds.fresh().to_string(), &request.to_string());
    let calls = vec![
        call::<StopDispense>(Some("Stop a dispense; once more to see a refusal"), &of_dispense, None),
        call::<CreateDispense>(Some("Record a dispense"), &[patient()], Some(recorded)),
        call::<ShowDispense>(Some("Read a dispense"), &of_dispense, None),
        call::<ListDispenses>(Some("List dispenses in progress"), &[in_progress], None),
        call::<ListDispensesOfPatient>(None, &[patient()], None),
        call::<CompleteDispense>(None, &of_dispense, None),
        call::<MarkDispenseInError>(None, &of_dispense, None),
        call::<UpdateContractDivision>(Some("Update a contract division"), &of_contract, Some(new_pair())),
        call::<CreateContractDivision>(None, &[], Some(new_pair())),
        call::<ShowContractDivision>(None, &of_contract, None),
        call::<DeleteContractDivision>(None, &of_contract, None),
        call::<ListContractDivisions>(Some("List contract divisions"), &[], None),
        call::<ListEvents>(Some("List events"), &[], None),
        call::<ShowEvent>(None, &[], None),
    ];
    Samples { callers, records, calls }
}
