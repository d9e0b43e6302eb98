use actix_web::HttpRequest;
use esoz_auth::Secret;
use esoz_kernel::IdempotencyKey;

use crate::context::{IDEMPOTENCY_KEY, IdempotencyHeader, MalformedKey, at_most_one};
use crate::envelope::Invalid;
use crate::error::ApiError;

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
