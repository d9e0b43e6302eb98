use actix_web::HttpRequest;
use actix_web::http::header;
use esoz_auth::Secret;

/// The bearer token of the request; `None` when there is no `Authorization` header, it is of another scheme, or holds nothing.
pub(crate) fn bearer_token(request: &HttpRequest) -> Option<Secret> {
    let value = request.headers().get(header::AUTHORIZATION)?.as_bytes();
    let value = String::from_utf8_lossy(value);
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}

/// The api key of the request; `None` when the header is not there or holds nothing.
pub(crate) fn api_key(request: &HttpRequest) -> Option<Secret> {
    let value = String::from_utf8_lossy(request.headers().get("api-key")?.as_bytes()).trim().to_owned();
    (!value.is_empty()).then(|| Secret::new(value))
}
