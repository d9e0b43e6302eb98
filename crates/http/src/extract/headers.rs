use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::ApiError;

/// The value of a header that may be given once. A second one is refused: a proxy in between might read the other.
pub(crate) fn at_most_one<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    published: &'static str,
) -> Result<Option<&'a HeaderValue>, ApiError> {
    let mut values = headers.get_all(name);
    let (first, second) = (values.next(), values.next());
    if second.is_none() { Ok(first) } else { Err(ApiError::repeated_header(published)) }
}
