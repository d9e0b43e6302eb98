use utoipa::IntoParams;

/// The headers by which a client follows a request. Every operation of the API reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what `RequestContext` reads off a request")]
pub(crate) struct Traced {
    /// Ties the answer to the request: 20 to 200 visible ASCII characters. Any other value is replaced by a fresh one.
    #[param(rename = "X-Request-ID", required = false)]
    request_id: String,
    /// Repeated in `meta.idempotency_key`. It has no other effect.
    #[param(rename = "X-Idempotency-Key", required = false)]
    idempotency_key: String,
}
