use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Pipeline;
use super::heads::Heads;

/// A connection, encrypted or not, that reads no faster than its requests are started and its answers are taken.
///
/// While a write is blocked it reads nothing. Otherwise it delivers what comes, up to the end of the last head that may wait; what it has read
/// beyond is delivered later. The last byte of a head that announces a body waits until no other request is in progress: the framework closes
/// the connection after an answer if the body of a later request is incomplete then.
pub(crate) struct PacedStream<T> {
    io: T,
    pipeline: Rc<Pipeline>,
    /// The heads among what was delivered.
    heads: Heads,
    /// What was read and is not yet delivered, from `next` on.
    held: Vec<u8>,
    next: usize,
}

impl<T> PacedStream<T> {
    pub(crate) fn new(io: T) -> Self {
        Self { io, pipeline: Rc::default(), heads: Heads::new(), held: Vec::new(), next: 0 }
    }

    /// The connection itself.
    pub(crate) fn get_ref(&self) -> &T {
        &self.io
    }

    /// The state of its requests.
    pub(crate) fn pipeline(&self) -> &Rc<Pipeline> {
        &self.pipeline
    }

    #[cfg(test)]
    pub(super) fn io_mut(&mut self) -> &mut T {
        &mut self.io
    }

    #[cfg(test)]
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// How many of these bytes may be delivered now. Counts the heads that end in them.
    fn admit(&mut self, bytes: &[u8]) -> usize {
        let mut admitted = bytes.len();
        for (index, byte) in bytes.iter().enumerate() {
            let is_end = self.heads.ends_with(*byte);
            if is_end && !self.pipeline.admits_head(self.heads.has_body()) {
                admitted = index;
                break;
            }
            self.heads.advance(*byte);
            if is_end && self.pipeline.is_full() {
                admitted = index.saturating_add(1);
                break;
            }
        }
        self.pipeline.count_bytes(admitted);
        admitted
    }

    /// Delivers what was held, as far as it may be now.
    fn deliver_held(&mut self, buffer: &mut ReadBuf<'_>) {
        let held = std::mem::take(&mut self.held);
        let rest = held.get(self.next..).unwrap_or_default();
        let fitting = rest.get(..buffer.remaining()).unwrap_or(rest);
        let admitted = self.admit(fitting);
        buffer.put_slice(fitting.get(..admitted).unwrap_or(fitting));
        self.next = self.next.saturating_add(admitted);
        if self.next < held.len() {
            self.held = held;
        } else {
            self.next = 0;
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for PacedStream<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        // To deliver nothing would be the end of the stream.
        while buffer.filled().len() == before && buffer.remaining() > 0 {
            ready!(this.pipeline.poll_readable(context));
            if this.held.is_empty() {
                ready!(Pin::new(&mut this.io).poll_read(context, buffer))?;
                let read = buffer.filled().get(before..).unwrap_or_default();
                let admitted = this.admit(read);
                if admitted == read.len() {
                    break;
                }
                this.held = read.get(admitted..).unwrap_or_default().to_vec();
                buffer.set_filled(before.saturating_add(admitted));
            } else {
                this.deliver_held(buffer);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for PacedStream<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(context, bytes);
        this.pipeline.set_blocked(|pipeline| &pipeline.write_blocked, written.is_pending());
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(context, slices);
        this.pipeline.set_blocked(|pipeline| &pipeline.write_blocked, written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(context);
        this.pipeline.set_blocked(|pipeline| &pipeline.flush_blocked, flushed.is_pending());
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}
