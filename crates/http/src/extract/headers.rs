use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};
use esoz_auth::Secret;
use esoz_kernel::IdempotencyKey;

use crate::context::{IDEMPOTENCY_KEY, IdempotencyHeader, MalformedKey};
use crate::envelope::Invalid;
use crate::error::ApiError;

/// Returns the value of a header that may be given once. A second one is refused: a proxy in between might read the other.
pub(crate) fn at_most_one<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a HeaderValue>, ApiError> {
    let mut values = headers.get_all(name);
    let (first, second) = (values.next(), values.next());
    if second.is_none() { Ok(first) } else { Err(ApiError::repeated_header(name)) }
}

/// Reads the bearer token; `None` when there is no `Authorization` header, it is of another scheme, or it is empty.
pub(crate) fn bearer_token(request: &HttpRequest) -> Result<Option<Secret>, ApiError> {
    let value = at_most_one(request.headers(), "Authorization")?;
    Ok(value.and_then(|value| bearer(&String::from_utf8_lossy(value.as_bytes()))))
}

fn bearer(value: &str) -> Option<Secret> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}

/// Reads the api key; `None` when there is no such header, or it is empty.
pub(crate) fn api_key(request: &HttpRequest) -> Result<Option<Secret>, ApiError> {
    let value = at_most_one(request.headers(), "api-key")?;
    let text = value.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

/// Reads the idempotency key, if there is one. A malformed one is refused: its client relies on it.
pub(crate) fn idempotency_key(header: &IdempotencyHeader) -> Result<Option<IdempotencyKey>, ApiError> {
    header.clone().map_err(|MalformedKey| {
        let most = IdempotencyKey::MAX_CHARS;
        let description = format!("must be given once, as 1 to {most} visible ASCII characters");
        ApiError::invalid(vec![Invalid::header(IDEMPOTENCY_KEY, "format", description)])
    })
}
