use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use esoz_auth::{ApiKeyHolder, AuthError, Caller, CallerKind, Operation, Permit, Principal, authorize};
use esoz_kernel::{Failure, IdempotencyKey, TraceContext};
use serde::Serialize;
use tracing::Instrument as _;

use crate::Api;
use crate::context::RequestContext;
use crate::envelope::{self, Reply};
use crate::error::{ApiError, RequestError};
use crate::extract::query::Query;
use crate::extract::{body, headers};
use crate::observer::{AUTHENTICATE_API_KEY, AUTHENTICATE_TOKEN, OK};
use crate::telemetry::{end_operation, operation_span, position};

/// The answer of a handler.
pub(crate) type Answer = Result<HttpResponse, actix_web::Error>;

/// The context that the middleware has attached to a request.
pub(crate) type Context = web::ReqData<RequestContext>;

/// One request on its way through an operation.
pub(crate) struct Call {
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
    context: RequestContext,
    /// Where the event of a change traces back to.
    trace: Option<TraceContext>,
}

impl FromRequest for Call {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut call = || {
            Ok(Self {
                context: Context::extract(request).into_inner()?.into_inner(),
                api: web::Data::extract(request).into_inner()?,
                payload: web::Payload::from_request(request, payload).into_inner()?,
                request: request.clone(),
                trace: None,
            })
        };
        ready(call())
    }
}

impl Call {
    /// Runs an operation, in the order that the specification wants: authenticates the caller, takes one request from the client's rate
    /// limit, checks the scopes, parses the request, executes, and renders the outcome in the envelope. Metrics, span and log learn the
    /// outcome here.
    pub(crate) async fn run<O: Operation, I, T, D: Serialize>(
        mut self,
        parse: impl AsyncFnOnce(&mut Self) -> Result<I, ApiError>,
        execute: impl AsyncFnOnce(&Api, &Permit<O>, I) -> Result<T, O::Error>,
        render: impl FnOnce(T) -> Reply<D>,
    ) -> Answer {
        let outcome = async {
            let permit = self.permit::<O>().await?;
            let span = operation_span(O::NAME);
            self.trace = position(&span).or(self.context.parent);
            let input = parse(&mut self).await?;
            let outcome = execute(&self.api, &permit, input).instrument(span.clone()).await;
            end_operation(&span, outcome.as_ref().err().map(Failure::kind));
            self.record_outcome(O::NAME, outcome).map_err(|failure| ApiError::from_failure(&failure))
        };
        let outcome = outcome.await;
        answer(&self.context, outcome.map(render))
    }

    async fn permit<O: Operation>(&self) -> Result<Permit<O>, ApiError> {
        let api_key = match O::CALLER {
            CallerKind::User => None,
            CallerKind::UserWithApiKey => Some(self.api_key_holder().await?),
        };
        let principal = self.principal().await?;
        let permit = authorize::<O>(&Caller { principal, api_key });
        // A permit alone is no outcome of the operation yet.
        let permit = if permit.is_err() { self.record_outcome(O::NAME, permit) } else { permit };
        permit.map_err(|failure| ApiError::from_failure(&failure))
    }

    /// The calling software, by its api key. Its requests count for no client: software works for many.
    async fn api_key_holder(&self) -> Result<ApiKeyHolder, ApiError> {
        let presented = headers::api_key(&self.request)?;
        let checking = self.api.authentication.api_key(presented);
        self.authenticated(AUTHENTICATE_API_KEY, checking).await
    }

    /// The user and client, by the access token. Takes one request from the client's rate limit.
    async fn principal(&self) -> Result<Principal, ApiError> {
        let presented = headers::bearer_token(&self.request)?;
        let checking = self.api.authentication.token(presented);
        let principal = self.authenticated(AUTHENTICATE_TOKEN, checking).await?;
        // Each cell is empty: a request is authenticated once.
        let _ = self.context.client_id.set(principal.client_id);
        let _ = self.context.user_id.set(principal.user_id);
        let limit =
            self.api.admission.check_rate(principal.client_id).map_err(ApiError::too_many_requests)?;
        if let Some(limit) = limit {
            let _ = self.context.rate_limit.set(limit);
        }
        Ok(principal)
    }

    /// Authenticates, unless too many authentications from the address have failed.
    async fn authenticated<T>(
        &self,
        name: &'static str,
        checking: impl Future<Output = Result<T, AuthError>>,
    ) -> Result<T, ApiError> {
        let address = self.context.client_address;
        let admission = &self.api.admission;
        admission.check_failures(address).map_err(ApiError::too_many_failures)?;
        let outcome = self.record_outcome(name, checking.await);
        if let Err(AuthError::InvalidToken(_) | AuthError::InvalidApiKey(_)) = &outcome {
            admission.record_failure(address);
        }
        outcome.map_err(|failure| ApiError::from_failure(&failure))
    }

    /// Records an outcome for metrics, and for the log unless it is a successful authentication.
    fn record_outcome<T, F: Failure>(&self, name: &'static str, outcome: Result<T, F>) -> Result<T, F> {
        let code = outcome.as_ref().map_or_else(Failure::code, |_| OK);
        self.api.observer.operation_ended(name, code);
        if outcome.is_err() || ![AUTHENTICATE_TOKEN, AUTHENTICATE_API_KEY].contains(&name) {
            let _ = self.context.outcome.set(code);
        }
        if let Some(reason) = outcome.as_ref().err().and_then(Failure::reason) {
            let _ = self.context.reason.set(reason);
        }
        outcome
    }

    /// Parses a segment of the path as an id; `None` when it is none, which an operation answers like an unknown id.
    pub(crate) fn path_id<T: FromStr>(&self, segment: &str) -> Option<T> {
        self.request.match_info().get(segment).and_then(|text| text.parse().ok())
    }

    /// What the routes need.
    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    /// The query parameters of the request.
    pub(crate) fn query(&self) -> Query {
        Query::parse(self.request.query_string())
    }

    /// The request, as audit rows and events name it.
    pub(crate) fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Where the event of a change traces back to: the span of the operation or, where no spans are recorded, the caller's.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// Reads the body and the idempotency key. Faults of both are answered together.
    pub(crate) async fn body<T>(
        &mut self,
        parse: impl FnOnce(&[u8]) -> Result<T, ApiError>,
    ) -> Result<(T, Option<IdempotencyKey>), ApiError> {
        self.body_up_to(self.api.limits.body_max_bytes, parse).await
    }

    async fn body_up_to<T>(
        &mut self,
        max_bytes: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, ApiError>,
    ) -> Result<(T, Option<IdempotencyKey>), ApiError> {
        let bytes = body::read(&self.request, &mut self.payload, &self.api.limits, max_bytes).await?;
        ApiError::combine(parse(&bytes), headers::idempotency_key(&self.context.idempotency))
    }

    /// Reads a body that must be declared as JSON, and the idempotency key.
    pub(crate) async fn json_body<T>(
        &mut self,
        parse: impl FnOnce(&[u8]) -> Result<T, ApiError>,
    ) -> Result<(T, Option<IdempotencyKey>), ApiError> {
        body::require_json(&self.request)?;
        self.body(parse).await
    }

    /// Reads a body with a whole record or a signed document, which must be declared as JSON, and the idempotency key.
    pub(crate) async fn document_body<T>(
        &mut self,
        parse: impl FnOnce(&[u8]) -> Result<T, ApiError>,
    ) -> Result<(T, Option<IdempotencyKey>), ApiError> {
        body::require_json(&self.request)?;
        self.body_up_to(self.api.limits.signed_body_max_bytes, parse).await
    }
}

/// Renders an outcome in its envelope.
pub(crate) fn answer<D: Serialize>(context: &RequestContext, outcome: Result<Reply<D>, ApiError>) -> Answer {
    match outcome {
        Ok(reply) => Ok(envelope::success(context, reply)),
        Err(error) => Err(RequestError { error, context: context.clone() }.into()),
    }
}
