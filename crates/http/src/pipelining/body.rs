use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::error::PayloadError;
use actix_http::{Payload, Request};
use actix_web::web::Bytes;
use futures_util::Stream;

use super::body_waker::BodyWaker;
use super::pipeline::{InUse, Pipeline};

/// The body of a request, which tells its pipeline when it waits for the connection.
struct RequestBody {
    payload: Payload,
    waker: Arc<BodyWaker>,
    /// Until its end has come.
    in_use: Option<InUse>,
}

impl Pipeline {
    /// Starts a request. It is in progress until the returned guard is dropped.
    pub(crate) fn start(self: &Rc<Self>, request: Request) -> (Request, InUse) {
        self.count_started();
        let request = watch(request, self);
        self.wake_reader();
        (request, InUse::new(self))
    }
}

/// Has the body of a request, if it has one, tell the pipeline when it waits.
fn watch(mut request: Request, pipeline: &Rc<Pipeline>) -> Request {
    if !matches!(request.payload(), Payload::None) {
        let payload = request.take_payload();
        let body = RequestBody { payload, waker: Arc::default(), in_use: Some(InUse::new(pipeline)) };
        *request.payload() = Payload::Stream { payload: Box::pin(body) };
    }
    request
}

impl Stream for RequestBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.waker.register(context.waker());
        this.waker.set_waiting(false);
        let waker = Waker::from(this.waker.clone());
        let next = Pin::new(&mut this.payload).poll_next(&mut Context::from_waker(&waker));
        match (&next, &this.in_use) {
            (Poll::Pending, Some(InUse(pipeline))) => {
                this.waker.set_waiting(true);
                pipeline.body_waits(&this.waker);
            }
            (Poll::Ready(Some(Ok(_))) | Poll::Pending, _) => {}
            (Poll::Ready(_), _) => this.in_use = None,
        }
        next
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.waker.set_waiting(false);
    }
}

/// The body of an answer. Its request is in progress until this is sent and dropped.
pub(crate) struct ResponseBody {
    body: BoxBody,
    _in_use: InUse,
}

impl ResponseBody {
    pub(crate) fn new(body: impl MessageBody + 'static, in_use: InUse) -> Self {
        Self { body: body.boxed(), _in_use: in_use }
    }
}

impl MessageBody for ResponseBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(context)
    }
}
