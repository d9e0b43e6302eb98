use std::fmt;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use esoz_kernel::{ErrorKind, Failure, with_causes};

use crate::context::RequestContext;
use crate::envelope::{self, ErrorBody, Invalid};
use crate::middleware::RateLimitStatus;

/// How long a client should wait before it asks again when something is down, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// How a caller proves who calls (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"esoz\"";

/// An error as HTTP shows it. Every failure becomes one of these, here.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    allow: Option<&'static str>,
    /// What a caller must present (RFC 6750).
    challenge: Option<String>,
    /// What is broken on our side, with all its causes: for the log, never for the client.
    cause: Option<String>,
    /// Whether what the client sent was not read to its end, so that the connection cannot be used again.
    close: bool,
    /// What is not enough.
    budget: Option<Box<RateLimitStatus>>,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        let body = Box::new(ErrorBody { kind, message: message.into(), invalid: Vec::new() });
        Self { status, body, allow: None, challenge: None, cause: None, close: false, budget: None }
    }

    fn challenging(self, challenge: String) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// The same, with what the line of the request in the log says about it.
    pub(crate) fn because(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// What is broken on our side, if that is what it is.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Maps an error of a use case or of authentication. Of what is broken on our side the log gets all causes, and the client a
    /// constant text.
    pub(crate) fn from_failure(failure: &dyn Failure) -> Self {
        let message = failure.to_string();
        let mut error = match failure.kind() {
            ErrorKind::Unauthenticated => Self::new(StatusCode::UNAUTHORIZED, "access_denied", message)
                .challenging(CHALLENGE.to_owned()),
            ErrorKind::InvalidToken => Self::new(StatusCode::UNAUTHORIZED, "access_denied", message)
                .challenging(format!("{CHALLENGE}, error=\"invalid_token\"")),
            ErrorKind::Forbidden => {
                let scope = failure.missing_allowances().join(" ");
                Self::new(StatusCode::FORBIDDEN, "forbidden", message)
                    .challenging(format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"{scope}\""))
            }
            ErrorKind::NotFound => Self::new(StatusCode::NOT_FOUND, "not_found", message),
            ErrorKind::Conflict => Self::new(StatusCode::CONFLICT, "request_conflict", message),
            ErrorKind::Unavailable => Self::unavailable().because(with_causes(failure)),
            ErrorKind::Internal => Self::internal().because(with_causes(failure)),
        };
        if let Some(entry) = failure.entry() {
            error.body.invalid.push(Invalid::property(entry, "invalid", error.body.message.clone()));
        }
        error
    }

    /// Something is broken on our side.
    pub(crate) fn internal() -> Self {
        let message = "Something went wrong on the server. Its log tells more under the request id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    /// A store or a bus is down, or too slow.
    pub(crate) fn unavailable() -> Self {
        let message = "The service is temporarily unavailable. Please try again later.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message)
    }

    /// There are as many requests as the server carries at once.
    pub(crate) fn overloaded() -> Self {
        let message = "The service has as many requests as it can carry at once. Please try again later.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message)
    }

    /// The client has spent its budget.
    pub(crate) fn too_many_requests(budget: RateLimitStatus) -> Self {
        let RateLimitStatus { quota, window_s, reset_s, .. } = budget;
        let message = format!(
            "This client has sent too many requests: it may send {quota} in {window_s} s. Please try again after {reset_s} s."
        );
        Self::overdrawn(budget, message)
    }

    /// The address has failed too often to prove who it is.
    pub(crate) fn too_many_failures(budget: RateLimitStatus) -> Self {
        let RateLimitStatus { reset_s, .. } = budget;
        let message = format!(
            "Too many authentications from this address have failed. Please try again after {reset_s} s."
        );
        Self::overdrawn(budget, message)
    }

    fn overdrawn(budget: RateLimitStatus, message: String) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        Self { budget: Some(Box::new(budget)), ..error }
    }

    /// Something that requests need is down; names it.
    pub(crate) fn not_ready(told: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", told)
    }

    /// The body is no JSON.
    pub(crate) fn malformed() -> Self {
        let message = "Malformed request. Probably, you have sent corrupted JSON.";
        Self::new(StatusCode::BAD_REQUEST, "request_malformed", message)
    }

    /// The body is JSON of the wrong shape; all its faults at once.
    pub(crate) fn invalid(faults: Vec<Invalid>) -> Self {
        let mut error =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", "Validation failed.");
        error.body.invalid = faults;
        error
    }

    /// Two parts of a request: both, or what is wrong. When both have faults, all of them are told at once; else the first tells.
    pub(crate) fn both<A, B>(one: Result<A, Self>, other: Result<B, Self>) -> Result<(A, B), Self> {
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (Err(mut one), Err(other)) if one.status == other.status => {
                one.body.invalid.extend(other.body.invalid);
                Err(one)
            }
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// There is nothing at this path.
    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "not_found")
    }

    /// The path takes other methods only.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let message = format!("Method is not allowed here. Allowed: {allow}.");
        Self {
            allow: Some(allow),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        }
    }

    /// The body is declared to be something else than JSON.
    pub(crate) fn unsupported_content_type() -> Self {
        let message = "Content-Type must be application/json.";
        let error = Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_invalid", message);
        Self { close: true, ..error }
    }

    /// The body is over the limit.
    pub(crate) fn body_too_large() -> Self {
        let error =
            Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", "Request body is too large.");
        Self { close: true, ..error }
    }

    /// The headers are over the limit.
    pub(crate) fn headers_too_large() -> Self {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Self { close: true, ..Self::new(status, "request_too_large", "Request headers are too large.") }
    }

    /// The body did not arrive in time.
    pub(crate) fn body_too_slow() -> Self {
        let message = "The request did not arrive in time.";
        Self { close: true, ..Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message) }
    }

    /// The answer in its envelope.
    pub(crate) fn respond(&self, context: &RequestContext) -> HttpResponse {
        let mut response = envelope::failure(context, self.status, &self.body);
        let headers = response.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        if let Some(budget) = &self.budget {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(budget.reset_s));
            budget.tell(headers);
        }
        // Built from our own words: it always is a header.
        if let Some(Ok(challenge)) = self.challenge.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.close {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }
}

/// An [`ApiError`] on its way through the framework, which hands errors on without the request that they answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) error: ApiError,
    pub(crate) context: RequestContext,
}

impl fmt::Display for Answered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.error.body.message)
    }
}

impl ResponseError for Answered {
    fn status_code(&self) -> StatusCode {
        self.error.status
    }

    fn error_response(&self) -> HttpResponse {
        self.error.respond(&self.context)
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
