//! The request inspector: its page at `/`, the files of the page, and the stream of what is new.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponseBuilder, web};

use crate::Api;
use crate::call::{Answer, Context, answer};
use crate::error::ApiError;
use crate::headers::{self, PAGE_CSP};
use crate::inspector::stream::Listener;
use crate::inspector::{self, Inspector, MAX_LISTENERS, PAGE, SCRIPT, STREAM, STYLE};

/// The paths of the page and of its files, that of the page first.
pub(super) fn paths() -> Vec<String> {
    [PAGE, STYLE, SCRIPT].map(str::to_owned).into()
}

/// Whether a path is one of the inspector.
pub(super) fn is_of(path: &str) -> bool {
    path == STREAM || paths().iter().any(|own| own == path)
}

/// Shows the page, or sends one of its files. Anybody may ask.
pub(super) async fn show(request: HttpRequest, context: Context, api: web::Data<Api>) -> Answer {
    let inspector = match inspector_for(&request, &api) {
        Ok(inspector) => inspector,
        Err(error) => return answer::<()>(&context, Err(error)),
    };
    let (content_type, cache_control, body) = match request.path() {
        STYLE => {
            ("text/css; charset=utf-8", "no-cache", include_str!("../../assets/inspector/page.css").into())
        }
        SCRIPT => (
            "text/javascript; charset=utf-8",
            "no-cache",
            include_str!("../../assets/inspector/page.js").into(),
        ),
        _ => ("text/html; charset=utf-8", "no-store", rendered(&inspector).await),
    };
    Ok(page_answer(&context)
        .content_type(content_type)
        .insert_header((header::CACHE_CONTROL, cache_control))
        .body(body))
}

/// The inspector, for a request that may see what it shows.
fn inspector_for(request: &HttpRequest, api: &Api) -> Result<Arc<Inspector>, ApiError> {
    let inspector = api.inspector.clone().ok_or_else(ApiError::no_such_path)?;
    if api.addressing.is_own_host(request.headers()) { Ok(inspector) } else { Err(ApiError::foreign_host()) }
}

/// The refusals of the page, its files and its stream.
pub(super) fn refusals() -> [ApiError; 2] {
    [ApiError::foreign_host(), ApiError::too_many_listeners(MAX_LISTENERS)]
}

async fn rendered(inspector: &Inspector) -> String {
    let events = match &inspector.events {
        Some(latest) => Some(latest.rows().await),
        None => None,
    };
    let requests = &inspector.requests;
    inspector::page(&requests.after(0), events.as_deref(), inspector.samples.as_ref(), requests.now())
}

/// Streams what is new, behind the request that `after` names. Anybody may listen, as far as there are places.
pub(super) async fn stream(request: HttpRequest, context: Context, api: web::Data<Api>) -> Answer {
    let taken = inspector_for(&request, &api).and_then(|inspector| {
        let place = inspector.listen().ok_or_else(|| ApiError::too_many_listeners(MAX_LISTENERS))?;
        Ok((inspector, place))
    });
    let (inspector, place) = match taken {
        Ok(taken) => taken,
        Err(error) => return answer::<()>(&context, Err(error)),
    };
    let mut response = page_answer(&context);
    response
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // nginx would keep what is new until it has a buffer full of it.
        .insert_header((HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let after = request.query_string().strip_prefix("after=").and_then(|text| text.parse().ok());
    let api = Api::clone(&api);
    Ok(response.streaming(Listener::new(api, inspector, request, after.unwrap_or(0), place).stream()))
}

fn page_answer(context: &Context) -> HttpResponseBuilder {
    headers::with_standard_headers(context, StatusCode::OK, PAGE_CSP)
}
