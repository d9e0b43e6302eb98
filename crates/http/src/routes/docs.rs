//! The API reference for people: Swagger UI over the published description. Its files are compiled in.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, AcceptEncoding, Encoding, EntityTag, Header as _, IfNoneMatch};
use actix_web::web::{self, Bytes};
use flate2::read::GzDecoder;

use crate::Api;
use crate::call::{Answer, Context, answer};
use crate::chunked_body::chunked;
use crate::error::ApiError;
use crate::headers::{self, API_CSP, PAGE_CSP};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// A file as it is compiled in, as it is or compressed by gzip.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn is_gzipped(&self) -> bool {
        self.bytes.starts_with(&[0x1f, 0x8b])
    }
}

macro_rules! asset {
    ($path:literal, $content_type:ident, $file:literal) => {
        Asset {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../assets/", $file)),
        }
    };
}

/// The files. Swagger UI's licences are served beside it.
const ASSETS: [Asset; 9] = [
    asset!("/docs", HTML, "docs/index.html"),
    asset!("/docs/", HTML, "docs/index.html"),
    asset!("/docs/page.js", SCRIPT, "docs/page.js"),
    asset!("/docs/page.css", CSS, "docs/page.css"),
    asset!("/docs/swagger-ui-bundle.js", SCRIPT, "swagger-ui/swagger-ui-bundle.js.gz"),
    asset!("/docs/swagger-ui.css", CSS, "swagger-ui/swagger-ui.css.gz"),
    asset!("/docs/LICENSE", TEXT, "swagger-ui/LICENSE"),
    asset!("/docs/NOTICE", TEXT, "swagger-ui/NOTICE"),
    asset!("/docs/swagger-ui-bundle.js.LICENSE.txt", TEXT, "swagger-ui/swagger-ui-bundle.js.LICENSE.txt"),
];

/// The paths of the files, that of the page first.
pub(super) fn paths() -> Vec<String> {
    ASSETS.iter().map(|asset| asset.path.to_owned()).collect()
}

/// A file as it is sent.
struct File {
    asset: &'static Asset,
    plain: Bytes,
    tag: EntityTag,
}

impl File {
    fn new(asset: &'static Asset) -> io::Result<Self> {
        let mut plain = Bytes::from_static(asset.bytes);
        if asset.is_gzipped() {
            let mut text = Vec::new();
            GzDecoder::new(asset.bytes).read_to_end(&mut text)?;
            plain = Bytes::from(text);
        }
        let mut hasher = DefaultHasher::new();
        plain.hash(&mut hasher);
        // Weak: it names the content, compressed or not.
        Ok(Self { asset, tag: EntityTag::new_weak(format!("{:016x}", hasher.finish())), plain })
    }
}

/// The files, decompressed once.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    ASSETS.iter().map(File::new).collect::<io::Result<_>>().unwrap_or_else(|error| {
        tracing::error!(%error, "the files of the API reference cannot be decompressed; /docs is not served");
        Vec::new()
    })
});

/// Shows the page or sends one of its files. Anybody may ask.
pub(super) async fn show(request: HttpRequest, context: Context) -> Answer {
    let Some(file) = FILES.iter().find(|file| file.asset.path == request.path()) else {
        return answer::<()>(&context, Err(ApiError::no_such_path()));
    };
    let known = is_known(&request, &file.tag);
    let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = headers::with_standard_headers(&context, status, PAGE_CSP);
    response
        .insert_header(header::ETag(file.tag.clone()))
        // A browser revalidates each time, so that the page always fits the server.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .append_header((header::VARY, "accept-encoding"));
    if known {
        return Ok(response.finish());
    }
    response.content_type(file.asset.content_type);
    if file.asset.is_gzipped() && takes_gzip(&request) {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
        return Ok(response.body(chunked(Bytes::from_static(file.asset.bytes))));
    }
    Ok(response.body(chunked(file.plain.clone())))
}

/// What the page fills in.
pub(super) const SAMPLES: &str = "/docs/samples.json";

/// Sends what the page fills in: the samples of the request inspector, `null` where there are none. Anybody may ask.
pub(super) async fn samples(request: HttpRequest, context: Context, api: web::Data<Api>) -> Answer {
    let samples = api.inspector.as_ref().and_then(|inspector| inspector.samples.as_ref());
    if samples.is_some() && !api.addressing.is_own_host(request.headers()) {
        return answer::<()>(&context, Err(ApiError::foreign_host()));
    }
    Ok(headers::with_standard_headers(&context, StatusCode::OK, API_CSP)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(samples))
}

/// Whether the client has this content (`If-None-Match`).
fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let choice = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(request).ok().and_then(|accepted| accepted.negotiate(choice.iter()))
        == Some(Encoding::gzip())
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;
    use actix_web::dev::{Service as _, ServiceResponse};
    use actix_web::http::{Method, StatusCode};
    use actix_web::test::{TestRequest, init_service, read_body, read_body_json};
    use actix_web::{App, HttpMessage as _};
    use esoz_kernel::{RequestId, Uuid};
    use serde_json::Value;

    use super::*;
    use crate::context::{REQUEST_ID, RequestContext};
    use crate::routes::configure;

    /// The answer of the routes, without the guard but with what it attaches.
    async fn answer(request: TestRequest) -> ServiceResponse<impl MessageBody> {
        let app = App::new().configure(|config| configure(config, true, false)).wrap_fn(|request, routes| {
            let context = RequestContext::new(RequestId::from_uuid(Uuid::nil()), String::new());
            request.extensions_mut().insert(context);
            routes.call(request)
        });
        let app = init_service(app).await;
        match app.call(request.to_request()).await {
            Ok(answer) => answer.map_into_boxed_body(),
            Err(error) => {
                ServiceResponse::new(TestRequest::default().to_http_request(), error.error_response())
            }
        }
    }

    fn get(path: &str) -> TestRequest {
        TestRequest::get().uri(path)
    }

    fn header<'a>(answer: &'a ServiceResponse<impl MessageBody>, name: &str) -> &'a str {
        answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[actix_web::test]
    async fn every_file_says_what_it_is_and_what_it_may_do() {
        for (path, content_type, start) in [
            ("/docs", HTML, "<!doctype html>"),
            ("/docs/", HTML, "<!doctype html>"),
            ("/docs/page.js", SCRIPT, "\"use strict\";"),
            ("/docs/page.css", CSS, "body {"),
            ("/docs/swagger-ui-bundle.js", SCRIPT, "/*! For license information"),
            ("/docs/swagger-ui.css", CSS, ".swagger-ui{"),
            ("/docs/LICENSE", TEXT, "\n                                 Apache License"),
            ("/docs/NOTICE", TEXT, "swagger-ui\nCopyright"),
            ("/docs/swagger-ui-bundle.js.LICENSE.txt", TEXT, "/*!\n\tCopyright"),
        ] {
            let answer = answer(get(path)).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(header(&answer, "content-type"), content_type, "{path}");
            assert_eq!(header(&answer, "content-encoding"), "", "{path}");
            assert_eq!(header(&answer, "content-security-policy"), PAGE_CSP, "{path}");
            assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
            assert_eq!(header(&answer, REQUEST_ID), Uuid::nil().to_string(), "{path}");
            let body = read_body(answer).await;
            let text = str::from_utf8(&body).unwrap();
            assert!(text.trim_start().starts_with(start.trim_start()), "{path}: {text:.100}");
        }
    }

    #[actix_web::test]
    async fn what_is_kept_compressed_is_sent_so_to_who_takes_it() {
        let path = "/docs/swagger-ui-bundle.js";
        let plain = read_body(answer(get(path)).await).await;
        let packed = answer(get(path).insert_header(("accept-encoding", "gzip, deflate, br, zstd"))).await;
        assert_eq!(header(&packed, "content-encoding"), "gzip");
        assert_eq!(header(&packed, "vary"), "accept-encoding");
        let packed = read_body(packed).await;
        assert!(packed.len() < plain.len() / 2);
        let mut unpacked = Vec::new();
        GzDecoder::new(packed.as_ref()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
        let refused = answer(get(path).insert_header(("accept-encoding", "gzip;q=0"))).await;
        assert_eq!(header(&refused, "content-encoding"), "");
        let page = answer(get("/docs").insert_header(("accept-encoding", "gzip"))).await;
        assert_eq!(header(&page, "content-encoding"), "");
    }

    #[actix_web::test]
    async fn what_a_browser_has_is_not_sent_again() {
        let first = answer(get("/docs")).await;
        assert_eq!(header(&first, "cache-control"), "no-cache");
        let tag = header(&first, "etag").to_owned();
        let again = answer(get("/docs").insert_header(("if-none-match", tag.as_str()))).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(header(&again, "etag"), tag);
        assert!(read_body(again).await.is_empty());
        let other = answer(get("/docs/page.css").insert_header(("if-none-match", tag.as_str()))).await;
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[actix_web::test]
    async fn an_unknown_path_is_not_found() {
        for path in [
            "/docs/nothing",
            "/docs/page.js/",
            "/docs/../Cargo.toml",
            "/docs/%2e%2e/Cargo.toml",
            "/docs/page%2ejs",
            "/docsx",
        ] {
            let answer = answer(get(path)).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
            let body: Value = read_body_json(answer).await;
            assert_eq!(body["meta"]["code"], 404);
            assert_eq!(body["error"]["type"], "not_found");
        }
    }

    #[actix_web::test]
    async fn another_verb_is_refused() {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            for path in paths() {
                let answer = answer(TestRequest::with_uri(&path).method(method.clone())).await;
                assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                assert_eq!(header(&answer, "allow"), "GET, HEAD");
                let body: Value = read_body_json(answer).await;
                assert_eq!(body["error"]["type"], "method_not_allowed");
            }
        }
    }
}
