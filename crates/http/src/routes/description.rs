use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use super::Call;
use crate::chunked_body::chunked;
use crate::error::{Answered, ApiError};
use crate::headers;
use crate::openapi::{DescriptionAnswers, openapi};

/// The document, made once.
static DOCUMENT: LazyLock<Option<Bytes>> = LazyLock::new(|| match openapi() {
    Ok(text) => Some(Bytes::from(text)),
    Err(error) => {
        tracing::error!(%error, "the OpenAPI description cannot be rendered");
        None
    }
});

/// Show this description
///
/// The one answer without an envelope: the OpenAPI document itself. Anybody may ask.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "show_description",
    tag = "description",
    responses(DescriptionAnswers),
    security(()),
)]
pub(crate) async fn show(request: HttpRequest) -> Result<HttpResponse, actix_web::Error> {
    let call = Call::of(&request)?;
    match DOCUMENT.as_ref() {
        Some(document) => Ok(headers::answer(&call.context, StatusCode::OK, headers::FOR_PROGRAMS)
            .insert_header(ContentType::json())
            .body(chunked(document.clone()))),
        None => Err(Answered {
            error: ApiError::internal().because("the description could not be made"),
            context: call.context,
        }
        .into()),
    }
}
