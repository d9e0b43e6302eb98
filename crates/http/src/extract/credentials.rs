use actix_web::HttpRequest;
use actix_web::http::header;
use esoz_auth::Secret;

use super::headers::at_most_one;
use crate::error::ApiError;

/// The bearer token of the request; `None` when there is no `Authorization` header, it is of another scheme, or holds nothing.
pub(crate) fn bearer_token(request: &HttpRequest) -> Result<Option<Secret>, ApiError> {
    let value = at_most_one(request.headers(), &header::AUTHORIZATION, "Authorization")?;
    Ok(value.and_then(|value| bearer(&String::from_utf8_lossy(value.as_bytes()))))
}

fn bearer(value: &str) -> Option<Secret> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}

/// The api key of the request; `None` when the header is not there or holds nothing.
pub(crate) fn api_key(request: &HttpRequest) -> Result<Option<Secret>, ApiError> {
    let name = header::HeaderName::from_static("api-key");
    let value = at_most_one(request.headers(), &name, "api-key")?;
    let text = value.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}
