//! The routes, and the registry of operations. One file per method; the path of a file is that of its route.

pub(crate) mod contract_divisions;
pub(crate) mod device_dispenses;
#[cfg(feature = "swagger")]
mod docs;
pub(crate) mod events;
pub(crate) mod health;
mod inspector;
pub(crate) mod openapi_json;

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpRequest, Responder, Route, web};
use esoz_auth::{AuthError, Operation, OperationInfo};
use esoz_contract_division::{
    CreateContractDivision, DeleteContractDivision, ListContractDivisions, ShowContractDivision,
    UpdateContractDivision,
};
use esoz_device_dispense::{
    CompleteDispense, CreateDispense, ListDispenses, ListDispensesOfPatient, MarkDispenseInError,
    ShowDispense, StopDispense,
};
use esoz_events::{ListEvents, ShowEvent};
use esoz_kernel::Failure as _;
use utoipa::Path;
use utoipa::openapi::{self, HttpMethod, Paths};

use crate::call::{Answer, Context, answer};
use crate::envelope::Reply;
use crate::error::ApiError;
use crate::inspector::STREAM;
use crate::observer::{AUTHENTICATE_API_KEY, AUTHENTICATE_TOKEN, OK, UNMATCHED};
use crate::preflight::{allow_header, preflight};

/// The groups of the description.
pub(crate) const DEVICE_DISPENSES: &str = "device dispenses";
pub(crate) const CONTRACT_DIVISIONS: &str = "contract divisions";
pub(crate) const EVENTS: &str = "events";
pub(crate) const DESCRIPTION: &str = "description";
pub(crate) const HEALTH: &str = "health";

/// Every route: the one list that routing, description, metrics and the authorisation tests are made from. `GET` routes answer `HEAD` as
/// well.
fn endpoints() -> Vec<Endpoint> {
    use self::{contract_divisions as contracts, device_dispenses as dispenses};
    let endpoints = vec![
        Endpoint::new(DEVICE_DISPENSES, dispenses::list::__path_handle, dispenses::list::handle)
            .lists::<ListDispenses>(),
        Endpoint::new(
            DEVICE_DISPENSES,
            dispenses::list_of_patient::__path_handle,
            dispenses::list_of_patient::handle,
        )
        .lists::<ListDispensesOfPatient>(),
        Endpoint::new(DEVICE_DISPENSES, dispenses::create::__path_handle, dispenses::create::handle)
            .runs::<CreateDispense>(),
        Endpoint::new(DEVICE_DISPENSES, dispenses::show::__path_handle, dispenses::show::handle)
            .runs::<ShowDispense>(),
        Endpoint::new(DEVICE_DISPENSES, dispenses::stop::__path_handle, dispenses::stop::handle)
            .runs::<StopDispense>(),
        Endpoint::new(DEVICE_DISPENSES, dispenses::complete::__path_handle, dispenses::complete::handle)
            .runs::<CompleteDispense>(),
        Endpoint::new(
            DEVICE_DISPENSES,
            dispenses::mark_in_error::__path_handle,
            dispenses::mark_in_error::handle,
        )
        .runs::<MarkDispenseInError>(),
        Endpoint::new(CONTRACT_DIVISIONS, contracts::list::__path_handle, contracts::list::handle)
            .lists::<ListContractDivisions>(),
        Endpoint::new(CONTRACT_DIVISIONS, contracts::create::__path_handle, contracts::create::handle)
            .runs::<CreateContractDivision>(),
        Endpoint::new(CONTRACT_DIVISIONS, contracts::show::__path_handle, contracts::show::handle)
            .runs::<ShowContractDivision>(),
        Endpoint::new(CONTRACT_DIVISIONS, contracts::update::__path_handle, contracts::update::handle)
            .runs::<UpdateContractDivision>(),
        Endpoint::new(CONTRACT_DIVISIONS, contracts::delete::__path_handle, contracts::delete::handle)
            .runs::<DeleteContractDivision>(),
        Endpoint::new(EVENTS, events::list::__path_handle, events::list::handle).lists::<ListEvents>(),
        Endpoint::new(EVENTS, events::show::__path_handle, events::show::handle).runs::<ShowEvent>(),
        Endpoint::new(DESCRIPTION, openapi_json::__path_show, openapi_json::show),
        Endpoint::new(HEALTH, health::__path_live, health::live),
        Endpoint::new(HEALTH, health::__path_ready, health::ready),
    ];
    let inspector = [
        Endpoint::undescribed(Method::GET, inspector::paths(), inspector::show),
        Endpoint::undescribed(Method::GET, vec![STREAM.to_owned()], inspector::stream),
    ];
    #[cfg(feature = "swagger")]
    let docs = [
        Endpoint::undescribed(Method::GET, docs::paths(), docs::show),
        Endpoint::undescribed(Method::GET, vec![docs::SAMPLES.to_owned()], docs::samples),
    ];
    #[cfg(not(feature = "swagger"))]
    let docs = [];
    endpoints.into_iter().chain(inspector).chain(docs).collect()
}

/// One method of a path, or of several that are one route to metrics.
struct Endpoint {
    method: Method,
    paths: Vec<String>,
    route: Route,
    head: Option<Route>,
    /// The operation that it runs, for a caller who is authenticated.
    operation: Option<OperationInfo>,
    /// Whether that operation lists records.
    is_list: bool,
    described: Option<Described>,
}

/// What the description says of an endpoint.
struct Described {
    tag: &'static str,
    methods: Vec<HttpMethod>,
    /// Makes the operation, which renders every answer, so only where it is asked for.
    operation: fn() -> openapi::path::Operation,
}

impl Endpoint {
    /// The endpoint that a handler's `utoipa::path` describes, in that group of the description.
    fn new<P, F, A>(tag: &'static str, _description: P, handler: F) -> Self
    where
        P: Path,
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let method = P::methods().first().map_or(Method::GET, method);
        let described = Described { tag, methods: P::methods(), operation: P::operation };
        Self { described: Some(described), ..Self::undescribed(method, vec![P::path()], handler) }
    }

    fn runs<O: Operation>(self) -> Self {
        Self { operation: Some(OperationInfo::of::<O>()), ..self }
    }

    fn lists<O: Operation>(self) -> Self {
        Self { is_list: true, ..self.runs::<O>() }
    }

    fn undescribed<F, A>(method: Method, paths: Vec<String>, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let head = (method == Method::GET).then(|| web::head().to(handler.clone()));
        let route = web::method(method.clone()).to(handler);
        Self { method, paths, route, head, operation: None, is_list: false, described: None }
    }
}

fn method(described: &HttpMethod) -> Method {
    match described {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

/// Lists every operation of the API.
pub fn operations() -> Vec<OperationInfo> {
    endpoints().into_iter().filter_map(|endpoint| endpoint.operation).collect()
}

/// Lists every operation that is observed, authentication first, with its outcomes.
pub fn outcomes() -> Vec<(&'static str, Vec<&'static str>)> {
    let authentications = [AUTHENTICATE_TOKEN, AUTHENTICATE_API_KEY].map(|name| (name, AuthError::codes()));
    let operations = operations().into_iter().map(|operation| (operation.name, operation.outcomes()));
    let with_ok = |(name, codes)| (name, [vec![OK], codes].concat());
    authentications.into_iter().chain(operations).map(with_ok).collect()
}

/// Returns the names of the operations that list records.
pub fn lists() -> Vec<&'static str> {
    let lists = endpoints().into_iter().filter(|endpoint| endpoint.is_list);
    lists.filter_map(|endpoint| Some(endpoint.operation?.name)).collect()
}

/// Returns the group of an operation in the description: its tag. Empty if it is none of [`operations`].
pub fn group_of<O: Operation>() -> &'static str {
    let runs = |endpoint: &Endpoint| endpoint.operation.is_some_and(|operation| operation.name == O::NAME);
    let described = endpoints().into_iter().find(runs).and_then(|endpoint| endpoint.described);
    described.map(|described| described.tag).unwrap_or_default()
}

/// Lists the answers of the request inspector and of its samples but their success: status, type and message.
pub fn inspector_refusals() -> Vec<(u16, &'static str, String)> {
    inspector::refusals().iter().map(ApiError::summary).collect()
}

/// Describes every route.
pub(crate) fn described() -> Paths {
    let mut paths = Paths::new();
    for Endpoint { paths: of_endpoint, described, .. } in endpoints() {
        for (path, Described { tag, methods, operation }) in of_endpoint.into_iter().zip(described) {
            let mut operation = operation();
            operation.tags = Some(vec![tag.to_owned()]);
            paths.add_path_operation(path, methods, operation);
        }
    }
    paths
}

/// Registers the routes, one resource for each path: those of the event log and of the request inspector only where they are served.
pub(crate) fn configure(config: &mut web::ServiceConfig, serves_events: bool, has_inspector: bool) {
    let is_served = |endpoint: &Endpoint| match &endpoint.described {
        Some(described) => serves_events || described.tag != EVENTS,
        None => has_inspector || !endpoint.paths.iter().any(|path| inspector::is_of(path)),
    };
    let mut by_path: BTreeMap<Vec<String>, Vec<Endpoint>> = BTreeMap::new();
    for endpoint in endpoints().into_iter().filter(is_served) {
        by_path.entry(endpoint.paths.clone()).or_default().push(endpoint);
    }
    for (paths, endpoints) in by_path {
        let allow = allow_header(endpoints.iter().map(|endpoint| &endpoint.method));
        let mut resource = web::resource(paths);
        for Endpoint { route, head, .. } in endpoints {
            resource = [Some(route), head].into_iter().flatten().fold(resource, actix_web::Resource::route);
        }
        let refuse = move |request, context| ready(wrong_method(&request, &context, allow.clone()));
        config.service(resource.default_service(web::to(refuse)));
    }
    config.default_service(web::to(no_such_path));
}

/// Lists every route as it is observed: by its pattern (the first where it has several), never by a path, which names a patient.
pub fn route_patterns() -> Vec<String> {
    let first = |endpoint: Endpoint| endpoint.paths.into_iter().next();
    let patterns: BTreeSet<String> = endpoints().into_iter().filter_map(first).collect();
    patterns.into_iter().chain([UNMATCHED.to_owned()]).collect()
}

/// Lists every method and path that is served. Anything else is answered 404 or 405; `HEAD` is served where `GET` is.
pub fn served() -> Vec<(String, String)> {
    let of_each = |endpoint: Endpoint| {
        let method = endpoint.method.to_string();
        endpoint.paths.into_iter().map(move |path| (method.clone(), path))
    };
    endpoints().into_iter().flat_map(of_each).collect()
}

fn wrong_method(request: &HttpRequest, context: &Context, allow: String) -> Answer {
    match preflight(request, context, &allow) {
        Some(response) => Ok(response),
        None => answer::<()>(context, Err(ApiError::method_not_allowed(allow))),
    }
}

async fn no_such_path(context: Context) -> Answer {
    answer::<()>(&context, Err::<Reply<()>, _>(ApiError::no_such_path().with_reason("no_such_path")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_outcome_is_one_word_and_stands_once() {
        for (operation, outcomes) in outcomes() {
            let distinct: BTreeSet<&str> = outcomes.iter().copied().collect();
            assert_eq!(distinct.len(), outcomes.len(), "{operation}: {outcomes:?}");
            for outcome in outcomes {
                assert!(outcome.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{outcome}");
            }
        }
    }
}
