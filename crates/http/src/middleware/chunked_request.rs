use std::future::pending;

use actix_web::HttpMessage as _;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, LocalBoxStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// The chunks of a body; `None` is its end.
type Chunks = UnboundedSender<Option<Bytes>>;

/// Reads a chunked body in the task of its connection, and forwards it to the task of the handler.
///
/// The framework closes a connection as soon as the framing of a body is malformed: it sends an answer only if that is ready at once. A
/// handler, which is another task, would learn it too late.
pub(super) struct ChunkedRequest(Option<(Payload, Chunks)>);

impl ChunkedRequest {
    /// Takes the body of a request, if it is chunked, and leaves the forwarded one in its place.
    pub(super) fn take(request: &mut ServiceRequest) -> Self {
        if !request.chunked().unwrap_or(false) {
            return Self(None);
        }
        let (chunks, forwarded) = mpsc::unbounded_channel();
        let payload = request.take_payload();
        request.set_payload(Payload::from(forwarded_body(forwarded)));
        Self(Some((payload, chunks)))
    }

    /// Forwards the body, and finishes only when its framing is malformed or its client ends it early. Beyond `max_bytes`, which a handler
    /// refuses, chunks are read and dropped.
    pub(super) async fn broken(self, max_bytes: usize) {
        let Some((mut payload, chunks)) = self.0 else { return pending().await };
        let mut bytes = 0_usize;
        while let Some(chunk) = payload.next().await {
            let Ok(chunk) = chunk else { return };
            if bytes <= max_bytes {
                bytes = bytes.saturating_add(chunk.len());
                // Fails once the handler has answered without reading the body.
                let _ = chunks.send(Some(chunk));
            }
        }
        let _ = chunks.send(None);
        pending::<()>().await;
    }
}

/// The body as the handler reads it. Without its end it is incomplete.
fn forwarded_body(
    chunks: UnboundedReceiver<Option<Bytes>>,
) -> LocalBoxStream<'static, Result<Bytes, PayloadError>> {
    let next = |mut chunks: UnboundedReceiver<Option<Bytes>>| async {
        let chunk = match chunks.recv().await {
            Some(chunk) => Ok(chunk?),
            None => Err(PayloadError::Incomplete(None)),
        };
        Some((chunk, chunks))
    };
    stream::unfold(chunks, next).boxed_local()
}
