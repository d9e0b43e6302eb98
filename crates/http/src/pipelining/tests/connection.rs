//! A connection whose client and reader a test plays.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pipelining::pipeline::Pipeline;
use crate::pipelining::stream::PacedStream;

pub(super) const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// The client's side of a connection: each read returns one piece of the pipelined requests, and writes block while `takes_nothing`.
#[derive(Default)]
pub(super) struct Client {
    sent: VecDeque<Vec<u8>>,
    pub(super) takes_nothing: bool,
}

impl AsyncRead for Client {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut().sent.pop_front() {
            Some(piece) => buffer.put_slice(&piece),
            None => return Poll::Pending,
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.takes_nothing { Poll::Pending } else { Poll::Ready(Ok(bytes.len())) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.takes_nothing { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Counts how often a task is woken.
#[derive(Default)]
pub(super) struct Wakes(pub(super) AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection and the task that reads it.
pub(super) struct Connection {
    pub(super) stream: PacedStream<Client>,
    pub(super) wakes: Arc<Wakes>,
}

impl Connection {
    pub(super) fn new(pieces: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let client = Client { sent: pieces.into_iter().collect(), takes_nothing: false };
        Self { stream: PacedStream::new(client), wakes: Arc::default() }
    }

    pub(super) fn pipeline(&self) -> Rc<Pipeline> {
        self.stream.pipeline().clone()
    }

    /// Polls once. `None`: it has to wait.
    pub(super) fn read(&mut self, room: usize) -> Option<Vec<u8>> {
        let waker = Waker::from(self.wakes.clone());
        let mut storage = vec![0; room];
        let mut buffer = ReadBuf::new(&mut storage);
        let read = Pin::new(&mut self.stream).poll_read(&mut Context::from_waker(&waker), &mut buffer);
        read.is_ready().then(|| buffer.filled().to_vec())
    }

    /// Reads until it has to wait, as the framework does.
    pub(super) fn read_all(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.read(8_192)).flatten().collect()
    }

    pub(super) fn write(&mut self) -> bool {
        let waker = Waker::from(self.wakes.clone());
        let mut context = Context::from_waker(&waker);
        let written = Pin::new(&mut self.stream).poll_write(&mut context, b"answer").is_ready();
        written && Pin::new(&mut self.stream).poll_flush(&mut context).is_ready()
    }

    /// How often the task was woken since the last time.
    pub(super) fn woken(&self) -> usize {
        self.wakes.0.swap(0, Ordering::Relaxed)
    }

    pub(super) fn stream_client(&mut self) -> &mut Client {
        self.stream.io_mut()
    }

    pub(super) fn stream_is_holding(&self) -> bool {
        self.stream.is_holding()
    }
}

pub(super) fn heads(count: usize) -> Vec<u8> {
    HEAD.repeat(count)
}
