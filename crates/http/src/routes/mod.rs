//! The routes. One file per method; the path of a file is that of its route.

pub(crate) mod contract_divisions;
pub(crate) mod device_dispenses;
mod docs;
pub(crate) mod health;
pub(crate) mod openapi_json;

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpRequest, Responder, Route, web};
use utoipa::Path;

use crate::call::{Answer, answer};
use crate::context::RequestContext;
use crate::envelope::Reply;
use crate::error::ApiError;
use crate::observer::UNMATCHED;
use crate::preflight::{allowed, preflight};

/// Every route. `GET` routes answer `HEAD` as well.
fn endpoints() -> Vec<Endpoint> {
    use self::{contract_divisions as contracts, device_dispenses as dispenses};
    vec![
        Endpoint::new(Method::PATCH, dispenses::stop::__path_handle::path(), dispenses::stop::handle),
        Endpoint::new(Method::PUT, contracts::update::__path_handle::path(), contracts::update::handle),
        Endpoint::new(Method::GET, openapi_json::__path_show::path(), openapi_json::show),
        Endpoint::new(Method::GET, health::__path_live::path(), health::live),
        Endpoint::new(Method::GET, health::__path_ready::path(), health::ready),
        Endpoint::of_paths(Method::GET, docs::paths(), docs::show),
    ]
}

/// One method of a path, or of several that are one route to metrics.
struct Endpoint {
    method: Method,
    paths: Vec<String>,
    route: Route,
    head: Option<Route>,
}

impl Endpoint {
    fn new<F, A>(method: Method, path: String, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::of_paths(method, vec![path], handler)
    }

    fn of_paths<F, A>(method: Method, paths: Vec<String>, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let head = (method == Method::GET).then(|| web::head().to(handler.clone()));
        let route = web::method(method.clone()).to(handler);
        Self { method, paths, route, head }
    }
}

/// Registers the routes, one resource for each path.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    let mut by_path: BTreeMap<Vec<String>, Vec<Endpoint>> = BTreeMap::new();
    for endpoint in endpoints() {
        by_path.entry(endpoint.paths.clone()).or_default().push(endpoint);
    }
    for (paths, endpoints) in by_path {
        let allow = allowed(endpoints.iter().map(|endpoint| &endpoint.method));
        let mut resource = web::resource(paths);
        for Endpoint { route, head, .. } in endpoints {
            resource = [Some(route), head].into_iter().flatten().fold(resource, actix_web::Resource::route);
        }
        let refuse = move |request, context| ready(wrong_method(&request, &context, allow.clone()));
        config.service(resource.default_service(web::to(refuse)));
    }
    config.default_service(web::to(no_such_path));
}

/// Lists every route as it is observed: by its pattern, the first where it has several, never by a path, which names a patient.
pub fn route_patterns() -> Vec<String> {
    let first = |endpoint: Endpoint| endpoint.paths.into_iter().next();
    let patterns: BTreeSet<String> = endpoints().into_iter().filter_map(first).collect();
    patterns.into_iter().chain([UNMATCHED.to_owned()]).collect()
}

/// Every method and path that is served. Anything else is answered 404 or 405; `HEAD` is served where `GET` is.
pub fn served() -> Vec<(String, String)> {
    let of_each = |endpoint: Endpoint| {
        let method = endpoint.method.to_string();
        endpoint.paths.into_iter().map(move |path| (method.clone(), path))
    };
    endpoints().into_iter().flat_map(of_each).collect()
}

fn wrong_method(request: &HttpRequest, context: &RequestContext, allow: String) -> Answer {
    match preflight(request, context, &allow) {
        Some(response) => Ok(response),
        None => answer::<()>(context, Err(ApiError::method_not_allowed(allow))),
    }
}

async fn no_such_path(context: RequestContext) -> Answer {
    answer::<()>(&context, Err::<Reply<()>, _>(ApiError::no_such_path()))
}
