use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use esoz_kernel::{ErrorKind, Failure, with_causes};

use crate::context::{RepeatedHeader, RequestContext};
use crate::envelope::{self, BrokenRule, ErrorBody, Invalid};
use crate::middleware::RateLimitStatus;

/// `Retry-After` of an unavailable service, in seconds.
const RETRY_AFTER_S: &str = "1";

/// The challenge of a 401 (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"esoz\"";

/// An error as an HTTP answer: the one mapping of every failure.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    /// The headers that the status asks for: what a caller must present (RFC 6750), the methods of the path, when to try again.
    headers: Vec<(HeaderName, String)>,
    /// The full error chain of a server fault, for the log alone.
    pub(crate) cause: Option<String>,
    /// What the caller does not learn, for the log and the inspector: which of several causes with one text it was.
    pub(crate) reason: Option<&'static str>,
    /// Whether the request was not read to its end, so that the connection must be closed.
    close: bool,
}

macro_rules! constant_errors {
    ($($(#[$doc:meta])* $name:ident => $status:ident, $message:literal, close: $close:literal;)+) => {
        impl ApiError {
            $(
                $(#[$doc])*
                pub(crate) fn $name() -> Self {
                    Self { close: $close, ..Self::new(StatusCode::$status, $message) }
                }
            )+
        }
    };
}

constant_errors! {
    /// The body is no JSON.
    malformed => BAD_REQUEST, "Malformed request. Probably, you have sent corrupted JSON.", close: false;
    /// The request asks for a WebSocket. The framework takes whatever follows its head for its body.
    websocket => BAD_REQUEST, "WebSockets are not served: send the request without the header Upgrade.", close: true;
    /// The page is asked for under a name that a stranger may have given to the server (DNS rebinding).
    foreign_host => MISDIRECTED_REQUEST,
        "This page is served under an IP address, localhost and the host of http.public_url alone. Open it under one of these, or set http.public_url.",
        close: false;
    /// No route matches the path.
    no_such_path => NOT_FOUND, "not_found", close: false;
    /// The body did not arrive in time.
    body_too_slow => REQUEST_TIMEOUT, "The request did not arrive in time.", close: true;
    /// The body is over the limit.
    body_too_large => PAYLOAD_TOO_LARGE, "Request body is too large.", close: true;
    /// The body is not declared as JSON.
    unsupported_content_type => UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json.", close: true;
    /// The body is compressed.
    unsupported_content_encoding => UNSUPPORTED_MEDIA_TYPE,
        "Content-Encoding is not supported: send the body uncompressed.", close: true;
    /// The headers are over the limit.
    headers_too_large => REQUEST_HEADER_FIELDS_TOO_LARGE, "Request headers are too large.", close: true;
    /// The service is broken.
    internal => INTERNAL_SERVER_ERROR,
        "Something went wrong on the server. Its log tells more under the request id.", close: false;
    /// A store or a bus is unavailable, or too slow.
    unavailable => SERVICE_UNAVAILABLE,
        "The service is temporarily unavailable. Please try again later.", close: false;
    /// Load shedding, when `max_in_flight` is reached.
    overloaded => SERVICE_UNAVAILABLE,
        "The service has as many requests as it can carry at once. Please try again later.", close: false;
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let body = Box::new(ErrorBody {
            kind: envelope::error_type(status),
            message: message.into(),
            invalid: Vec::new(),
        });
        let retry = (status == StatusCode::SERVICE_UNAVAILABLE).then(|| RETRY_AFTER_S.to_owned());
        let headers = retry.map(|seconds| (header::RETRY_AFTER, seconds)).into_iter().collect();
        Self { status, body, headers, cause: None, reason: None, close: false }
    }

    fn with_invalid(mut self, invalid: Invalid) -> Self {
        self.body.invalid.push(invalid);
        self
    }

    /// With another message.
    pub(crate) fn with_message(mut self, message: String) -> Self {
        self.body.message = message;
        self
    }

    /// Tells the log which of several causes it was.
    pub(crate) fn with_reason(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Adds a cause for the log.
    pub(crate) fn because(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// Maps a failure of an operation or of authentication. The log gets the full error chain of a server fault; its body is constant.
    pub(crate) fn from_failure(failure: &dyn Failure) -> Self {
        let message = failure.to_string();
        let challenge = |detail: &str| vec![(header::WWW_AUTHENTICATE, format!("{CHALLENGE}{detail}"))];
        let (status, headers) = match failure.kind() {
            ErrorKind::BadRequest => (StatusCode::BAD_REQUEST, vec![]),
            ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, challenge("")),
            ErrorKind::InvalidToken => (StatusCode::UNAUTHORIZED, challenge(", error=\"invalid_token\"")),
            ErrorKind::Forbidden => match failure.missing_allowances().join(" ").as_str() {
                "" => (StatusCode::FORBIDDEN, vec![]),
                scope => (
                    StatusCode::FORBIDDEN,
                    challenge(&format!(", error=\"insufficient_scope\", scope=\"{scope}\"")),
                ),
            },
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, vec![]),
            ErrorKind::Conflict => (StatusCode::CONFLICT, vec![]),
            ErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, vec![]),
            ErrorKind::TooManyRequests => {
                let retry_after_s =
                    failure.retry_after_s().map_or(RETRY_AFTER_S.to_owned(), |wait| wait.to_string());
                (StatusCode::TOO_MANY_REQUESTS, vec![(header::RETRY_AFTER, retry_after_s)])
            }
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, vec![]),
            ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, vec![]),
        };
        let error = match status {
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable().because(with_causes(failure)),
            StatusCode::INTERNAL_SERVER_ERROR => Self::internal().because(with_causes(failure)),
            // Each fault has its text; the message is that of every invalid request.
            StatusCode::UNPROCESSABLE_ENTITY => Self::invalid(Vec::new()),
            _ => Self { headers, ..Self::new(status, message) },
        };
        let faults = failure.faults().into_iter();
        faults
            .fold(error, |error, (entry, text)| error.with_invalid(Invalid::property(entry, "invalid", text)))
    }

    /// 503: a component that requests need is down.
    pub(crate) fn not_ready(message: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 503: the stream of the request inspector has no place left.
    pub(crate) fn too_many_listeners(most: usize) -> Self {
        let message = format!(
            "{most} browsers follow the request inspector already. Close one, or reload the page to see what is new."
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 429: the client has exhausted its rate limit.
    pub(crate) fn too_many_requests(limit: RateLimitStatus) -> Self {
        let RateLimitStatus { quota, window_s, reset_s, .. } = limit;
        let message = format!(
            "This client has sent too many requests: it may send {quota} in {window_s} s. Please try again after {reset_s} s."
        );
        Self::rate_limited(limit, message)
    }

    /// 429: too many authentications from the address have failed.
    pub(crate) fn too_many_failures(limit: RateLimitStatus) -> Self {
        let RateLimitStatus { reset_s, .. } = limit;
        let message = format!(
            "Too many authentications from this address have failed. Please try again after {reset_s} s."
        );
        Self::rate_limited(limit, message)
    }

    fn rate_limited(limit: RateLimitStatus, message: String) -> Self {
        let retry = (header::RETRY_AFTER, limit.reset_s.to_string());
        let headers = limit.headers().into_iter().chain([retry]).collect();
        Self { headers, ..Self::new(StatusCode::TOO_MANY_REQUESTS, message) }
    }

    /// 400: the chunked framing of the body is malformed, or ends early. What follows on the connection cannot be read.
    pub(crate) fn broken_framing() -> Self {
        Self { close: true, ..Self::malformed() }
    }

    /// 422: all faults of the request at once.
    pub(crate) fn invalid(faults: Vec<Invalid>) -> Self {
        let error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation failed.");
        faults.into_iter().fold(error, Self::with_invalid)
    }

    /// Combines two parts of a request. Faults of the same status are answered together; else the first is answered.
    pub(crate) fn combine<A, B>(one: Result<A, Self>, other: Result<B, Self>) -> Result<(A, B), Self> {
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (Err(one), Err(other)) if one.status == other.status => {
                Err(other.body.invalid.into_iter().fold(one, Self::with_invalid))
            }
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// 405: the path takes other methods.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let message = format!("Method is not allowed here. Allowed: {allow}.");
        Self { headers: vec![(header::ALLOW, allow)], ..Self::new(StatusCode::METHOD_NOT_ALLOWED, message) }
    }

    /// 431: there are more headers than the limit.
    pub(crate) fn too_many_headers(most: usize) -> Self {
        let message = format!("Request has too many headers: at most {most} are read.");
        Self { close: true, ..Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message) }
    }

    /// Its status, its type and its message.
    pub(crate) fn summary(&self) -> (u16, &'static str, String) {
        (self.status.as_u16(), self.body.kind, self.body.message.clone())
    }

    /// Its message, and each entry at fault with the description of the rule that it breaks and the rule's parameters.
    pub(crate) fn texts(&self) -> (String, Vec<(String, String)>) {
        let text = |rule: &BrokenRule| match rule.params.as_slice() {
            [] => rule.description.clone(),
            params => format!("{} ({})", rule.description, params.join(", ")),
        };
        let faults = self.body.invalid.iter();
        let faults =
            faults.map(|fault| (fault.entry.clone(), fault.rules.first().map(text).unwrap_or_default()));
        (self.body.message.clone(), faults.collect())
    }

    /// Lists the entry and the rule of each fault.
    #[cfg(test)]
    pub(crate) fn invalid_entries(&self) -> Vec<(String, String)> {
        let rules =
            |invalid: &Invalid| invalid.rules.first().map(|rule| rule.rule.clone()).unwrap_or_default();
        self.body.invalid.iter().map(|invalid| (invalid.entry.clone(), rules(invalid))).collect()
    }

    /// Renders the answer in its envelope.
    pub(crate) fn respond(&self, context: &RequestContext) -> HttpResponse {
        let mut response = envelope::failure(context, self.status, &self.body);
        let headers = response.headers_mut();
        for (name, text) in &self.headers {
            // Built from constant texts and numbers, so it always is a header value.
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name.clone(), value);
            }
        }
        if self.close {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }
}

/// 400: a header that may be given once is repeated.
impl From<RepeatedHeader> for ApiError {
    fn from(RepeatedHeader(name): RepeatedHeader) -> Self {
        let message = format!("Header {name} is given more than once.");
        Self::new(StatusCode::BAD_REQUEST, message.as_str())
            .with_invalid(Invalid::header(name, "schema", message))
    }
}

/// An [`ApiError`] with the context of its request, which the framework does not pass on with errors.
#[derive(Debug, thiserror::Error)]
#[error("{}", .error.body.message)]
pub(crate) struct RequestError {
    pub(crate) error: ApiError,
    pub(crate) context: RequestContext,
}

impl ResponseError for RequestError {
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
