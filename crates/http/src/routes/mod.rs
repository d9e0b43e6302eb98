//! One file per method, and the routes.

mod callers;
pub(crate) mod contract_divisions;
pub(crate) mod description;
pub(crate) mod device_dispenses;
mod docs;
pub(crate) mod health;

use std::future::Future;

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, Resource, Route, web};
use esoz_kernel::Failure;
use serde::Serialize;
use utoipa::Path;

use crate::context::RequestContext;
use crate::error::{Answered, ApiError};
use crate::{envelope, middleware};

/// Every route: its verb, the paths that its description gives, and what answers.
fn all() -> Vec<(&'static str, Vec<String>, Route)> {
    vec![
        ("PATCH", vec![device_dispenses::__path_stop::path()], web::patch().to(device_dispenses::stop)),
        ("PUT", vec![contract_divisions::__path_update::path()], web::put().to(contract_divisions::update)),
        ("GET", vec![description::__path_show::path()], web::get().to(description::show)),
        ("GET", docs::paths().iter().map(ToString::to_string).collect(), web::get().to(docs::show)),
        ("GET", vec![health::__path_live::path()], web::get().to(health::live)),
        ("GET", vec![health::__path_ready::path()], web::get().to(health::ready)),
    ]
}

/// Registers every route.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    for (verb, paths, route) in all() {
        config.service(only(verb, paths, route));
    }
    config.default_service(web::to(|request| refuse(request, ApiError::no_such_path())));
}

/// What stands for each route where requests are counted: its pattern, and where it has several, the first.
pub(crate) fn patterns() -> impl Iterator<Item = String> {
    all().into_iter().filter_map(|(_, paths, _)| paths.into_iter().next())
}

/// Every verb and path that is served: what is not among them is answered 404 or 405.
pub fn served() -> Vec<(&'static str, String)> {
    let of_each = |(verb, paths, _): (&'static str, Vec<String>, Route)| {
        paths.into_iter().map(move |path| (verb, path))
    };
    all().into_iter().flat_map(of_each).collect()
}

/// A resource that takes one verb.
fn only(verb: &'static str, paths: Vec<String>, route: Route) -> Resource {
    let others = move |request| other_verb(request, verb);
    web::resource(paths).route(route).default_service(web::to(others))
}

async fn other_verb(request: HttpRequest, verb: &'static str) -> Result<HttpResponse, actix_web::Error> {
    let call = Call::of(&request)?;
    match middleware::preflight(&request, &call.context, verb) {
        Some(answer) => Ok(answer),
        None => call.answer(async { Err::<(), _>(ApiError::method_not_allowed(verb)) }).await,
    }
}

async fn refuse(request: HttpRequest, error: ApiError) -> Result<HttpResponse, actix_web::Error> {
    Call::of(&request)?.answer(async { Err::<(), _>(error) }).await
}

/// One request on its way to its answer.
struct Call {
    context: RequestContext,
}

impl Call {
    /// Takes what the guard attached to the request.
    fn of(request: &HttpRequest) -> Result<Self, actix_web::Error> {
        let context = request.extensions().get::<RequestContext>().cloned();
        let context =
            context.ok_or_else(|| actix_web::error::ErrorInternalServerError("no request context"))?;
        Ok(Self { context })
    }

    /// Puts an outcome into its envelope.
    async fn answer<T: Serialize>(
        &self,
        outcome: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<HttpResponse, actix_web::Error> {
        match outcome.await {
            Ok(data) => Ok(envelope::success(&self.context, data)),
            Err(error) => Err(Answered { error, context: self.context.clone() }.into()),
        }
    }
}

/// Turns the error of a use case or of authentication into its answer.
fn refused<F: Failure>(failure: F) -> ApiError {
    ApiError::from_failure(&failure)
}

/// A path segment as an id; `None` when it is none, which a use case answers like an id that nothing has.
fn id<T: std::str::FromStr>(request: &HttpRequest, segment: &str) -> Option<T> {
    request.match_info().get(segment).and_then(|text| text.parse().ok())
}
