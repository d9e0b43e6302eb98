use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::web::{self, Bytes};
use utoipa::IntoResponses;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::call::{Answer, Context, answer};
use crate::chunked_body::chunked;
use crate::error::ApiError;
use crate::headers;
use crate::openapi::{Answers, Responses, request_id_header, response};

/// Returns the rendered description. The application passes it in, since the description names this route.
pub(crate) type Document = fn() -> Option<Bytes>;

/// Show this description
///
/// The one answer without an envelope: the OpenAPI document itself. Anybody may ask.
#[utoipa::path(get, path = "/openapi.json", operation_id = "show_description", responses(DescriptionAnswers))]
pub(crate) async fn show(context: Context, document: web::Data<Document>) -> Answer {
    match document() {
        Some(document) => Ok(headers::with_standard_headers(&context, StatusCode::OK, headers::API_CSP)
            .insert_header(ContentType::json())
            .body(chunked(document))),
        None => {
            answer::<()>(&context, Err(ApiError::internal().because("the description could not be made")))
        }
    }
}

/// The answers of the description's own route.
struct DescriptionAnswers;

impl IntoResponses for DescriptionAnswers {
    fn responses() -> Responses {
        let document = ObjectBuilder::new()
            .schema_type(Type::Object)
            .title(Some("OpenApiDocument"))
            .required("openapi")
            .build();
        let content = ContentBuilder::new().schema(Some(document)).build();
        let headers = [("X-Request-ID", request_id_header())].into();
        let mut responses = Answers::of_path("/openapi.json").under_load().responses();
        responses.insert("200".to_owned(), response("This document.", content, headers).into());
        responses
    }
}
