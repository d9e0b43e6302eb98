use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// The headers of an answer that a page may read.
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "allow, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id",
);

/// The web origins whose pages may read answers (CORS). Browsers' credentials are never allowed: a page sends its token itself.
pub(crate) struct Origins(Vec<HeaderValue>);

/// What an answer says about the web origin of its request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AllowedOrigin {
    /// Whether answers vary by origin.
    varies: bool,
    origin: Option<HeaderValue>,
}

impl Origins {
    pub(crate) fn new(allowed: &[String]) -> Self {
        // A text that is no header value is no origin.
        Self(allowed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    /// Looks up the origin of a request among the allowed ones, to the letter.
    pub(crate) fn allowed(&self, request: &HeaderMap) -> AllowedOrigin {
        let asking = request.get(header::ORIGIN).filter(|origin| self.0.contains(origin));
        AllowedOrigin { varies: !self.0.is_empty(), origin: asking.cloned() }
    }
}

impl AllowedOrigin {
    /// Whether the request names an origin that may read the answer.
    pub(crate) fn is_allowed(&self) -> bool {
        self.origin.is_some()
    }

    /// Writes the headers of an answer.
    pub(crate) fn write_headers(&self, answer: &mut HeaderMap) {
        if self.varies {
            answer.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = &self.origin {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    }
}
