use utoipa::IntoParams;

use super::formats;

/// The headers that every operation of the API reads.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what `RequestContext` reads off a request")]
pub(crate) struct StandardHeaders {
    /// Ties the answer to the request: 20 to 200 visible ASCII characters. Any other value is replaced by a fresh one.
    #[param(rename = "X-Request-ID", required = false)]
    request_id: String,
}

/// The header that every operation that writes reads as well.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what `RequestContext` reads off a request")]
pub(crate) struct IdempotencyHeader {
    /// Marks this request and its repetitions: 1 to 255 visible ASCII characters, chosen by the client, e.g. a fresh UUID. A repetition
    /// of a request that took effect less than 24 hours ago does nothing and gets the first answer's `data` again, also when that answer
    /// never arrived; who calls is checked anew. Another request under the same key is refused (409). A request that was refused may be
    /// corrected and sent under the same key. Repeated in `meta.idempotency_key`. Keys of different clients, and of
    /// different operations, are different keys.
    #[param(rename = "X-Idempotency-Key", required = false, schema_with = formats::idempotency_key)]
    idempotency_key: String,
}
