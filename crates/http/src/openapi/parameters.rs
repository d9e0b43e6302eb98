use esoz_kernel::PageRequest;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Schema};

use super::formats;
use crate::context::IDEMPOTENCY_KEY;

/// Describes an optional query parameter.
pub(crate) fn query_parameter(name: &str, meaning: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    optional(ParameterIn::Query, name, meaning, schema)
}

fn optional(place: ParameterIn, name: &str, meaning: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(meaning))
        .schema(Some(schema))
        .build()
}

/// The page of a list, of at most `MAX_SIZE` entries.
pub(crate) struct PageParameters<const MAX_SIZE: u32>;

impl<const MAX_SIZE: u32> IntoParams for PageParameters<MAX_SIZE> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let number =
            |max: u32| ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(max));
        vec![
            query_parameter("page", "The page; the first is 1.", number(PageRequest::MAX_NUMBER)),
            query_parameter(
                "page_size",
                "How many entries a page has at most; 50 unless given.",
                number(MAX_SIZE),
            ),
        ]
    }
}

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
pub(crate) struct IdempotencyHeader;

impl IntoParams for IdempotencyHeader {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let meaning = "Marks this request and its repetitions: 1 to 255 visible ASCII characters, chosen by the client, e.g. a fresh UUID. A \
                       repetition of a request that took effect less than 24 hours ago does nothing and gets the first answer's `data` again, \
                       also when that answer never arrived; who calls is checked anew. Another request under the same key is refused (409). A \
                       request that was refused may be corrected and sent under the same key. Repeated in `meta.idempotency_key`. Keys of \
                       different clients, and of different operations, are different keys.";
        vec![optional(ParameterIn::Header, IDEMPOTENCY_KEY, meaning, formats::idempotency_key())]
    }
}
