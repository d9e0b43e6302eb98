//! Reads three facts from the protocol that diesel does not report: the SQLSTATE of an error (without it a lock timeout looks like a broken
//! query), that the server closed the connection, and whether it can have started a statement before that.
//!
//! [`MonitoredStream`] sits between the socket, or TLS on it, and the driver and changes nothing. A PostgreSQL message is a type byte, a length of four
//! bytes that includes itself, and a body. The body of an error (`E`) is a list of fields, each a type byte and a text that ends in a zero
//! byte; the field `C` is the SQLSTATE.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::error::SqlState;

/// What was read from one connection.
#[derive(Debug, Default)]
pub(crate) struct SqlstateMonitor {
    sql_state: Mutex<Option<SqlState>>,
    has_ended: AtomicBool,
    has_sent: AtomicBool,
    has_answered: AtomicBool,
    rejected_before_start: AtomicBool,
}

impl SqlstateMonitor {
    /// Takes the SQLSTATE of the first error since the last call: later errors may be its consequences.
    pub(crate) fn take_sql_state(&self) -> Option<SqlState> {
        self.sql_state.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Starts over for the next statement.
    pub(crate) fn begin(&self) {
        self.take_sql_state();
        for flag in [&self.has_sent, &self.has_answered, &self.rejected_before_start] {
            flag.store(false, Ordering::Release);
        }
    }

    /// Whether the server, which closed the connection, certainly has not started the statement: nothing of it was sent, or the first message
    /// that came back was the error. (A server that starts a statement confirms its arguments first, and messages arrive in order.)
    pub(crate) fn statement_not_started(&self) -> bool {
        !self.has_sent.load(Ordering::Acquire) || self.rejected_before_start.load(Ordering::Acquire)
    }

    /// Whether the server or the network has closed the connection.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn on_message(&self, message: Message) {
        match message {
            Message::Answer => self.has_answered.store(true, Ordering::Release),
            Message::Error(sql_state) => self.record_error(sql_state),
        }
    }

    fn record_error(&self, sql_state: SqlState) {
        if !self.has_answered.swap(true, Ordering::AcqRel) {
            self.rejected_before_start.store(true, Ordering::Release);
        }
        self.sql_state.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(sql_state);
    }

    fn ended(&self) {
        self.has_ended.store(true, Ordering::Release);
    }
}

/// A stream that reports the server's messages to a [`SqlstateMonitor`].
#[derive(Debug)]
pub(crate) struct MonitoredStream<S> {
    stream: S,
    monitor: Arc<SqlstateMonitor>,
    reader: MessageReader,
}

impl<S> MonitoredStream<S> {
    pub(crate) fn new(stream: S, monitor: Arc<SqlstateMonitor>) -> Self {
        Self { stream, monitor, reader: MessageReader::default() }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MonitoredStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (before, had_room) = (buf.filled().len(), buf.remaining() > 0);
        let result = ready!(Pin::new(&mut this.stream).poll_read(cx, buf));
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if result.is_err() || (fresh.is_empty() && had_room) {
            this.monitor.ended();
        }
        this.reader.read(fresh, |message| this.monitor.on_message(message));
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MonitoredStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Before the write: the answer may arrive before the write returns.
        this.monitor.has_sent.store(true, Ordering::Release);
        let result = ready!(Pin::new(&mut this.stream).poll_write(cx, buf));
        if result.is_err() {
            this.monitor.ended();
        }
        Poll::Ready(result)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Type byte and length.
const HEADER_BYTES: usize = 5;
/// How much of an error is read. Its SQLSTATE comes after two short fields.
const ERROR_BYTES: usize = 256;

/// A message about a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Message {
    /// Any answer but an error.
    Answer,
    /// An error, with its SQLSTATE.
    Error(SqlState),
}

/// Parses the server's messages, in whatever pieces they arrive.
#[derive(Debug, Default)]
struct MessageReader {
    header: Vec<u8>,
    body_left: usize,
    error: Option<Vec<u8>>,
}

impl MessageReader {
    fn read(&mut self, mut bytes: &[u8], mut on_message: impl FnMut(Message)) {
        while !bytes.is_empty() {
            if self.body_left == 0 {
                let missing = HEADER_BYTES.saturating_sub(self.header.len());
                let (part, rest) = bytes.split_at(missing.min(bytes.len()));
                self.header.extend_from_slice(part);
                bytes = rest;
                let [kind, length @ ..] = self.header.as_slice() else { continue };
                let Ok(length) = <[u8; 4]>::try_from(length) else { continue };
                self.body_left =
                    usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX).saturating_sub(4);
                self.error = (*kind == b'E').then(Vec::new);
                // An error is reported once it is complete; notices, parameters and notifications may come at any time.
                if !matches!(kind, b'E' | b'N' | b'S' | b'A') {
                    on_message(Message::Answer);
                }
                self.header.clear();
            } else {
                let (part, rest) = bytes.split_at(self.body_left.min(bytes.len()));
                bytes = rest;
                self.body_left -= part.len();
                if let Some(error) = &mut self.error {
                    let room = ERROR_BYTES.saturating_sub(error.len());
                    error.extend_from_slice(part.get(..room).unwrap_or(part));
                }
            }
            if self.body_left == 0
                && let Some(sql_state) = self.error.take().as_deref().and_then(sql_state)
            {
                on_message(Message::Error(sql_state));
            }
        }
    }
}

/// The SQLSTATE among the fields of an error.
fn sql_state(error: &[u8]) -> Option<SqlState> {
    let code = error.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"))?;
    std::str::from_utf8(code).ok().map(SqlState::from_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length[..], body].concat()
    }

    fn conversation() -> Vec<u8> {
        [
            message(b'Z', b"I"),
            message(b'2', b""),
            // The content of a row may look like an error.
            message(b'D', b"E\0\0\0\x0cC40P01\0\0"),
            message(b'E', b"SFEHLER\0VERROR\0C55P03\0Mcanceling statement\0\0"),
            message(b'N', b"SWARNING\0C01000\0\0"),
            message(b'E', &[b"SERROR\0C57014\0M".as_slice(), &[b'x'; 1_000], b"\0\0"].concat()),
            message(b'Z', b"I"),
        ]
        .concat()
    }

    #[test]
    fn every_error_is_read_in_whatever_pieces_it_arrives() {
        let bytes = conversation();
        let expected = [
            Message::Answer,
            Message::Answer,
            Message::Answer,
            Message::Error(SqlState::LOCK_NOT_AVAILABLE),
            Message::Error(SqlState::QUERY_CANCELED),
            Message::Answer,
        ];
        for piece in [1, 2, 3, 5, 7, 64, bytes.len()] {
            let (mut reader, mut messages) = (MessageReader::default(), Vec::new());
            for part in bytes.chunks(piece) {
                reader.read(part, |message| messages.push(message));
            }
            assert_eq!(messages, expected, "pieces of {piece}");
        }
    }

    #[test]
    fn an_error_without_sqlstate_is_ignored() {
        let mut reader = MessageReader::default();
        reader.read(&message(b'E', b"SERROR\0\0"), |message| panic!("{message:?}"));
    }

    #[test]
    fn a_statement_is_not_started_if_nothing_was_sent_or_the_first_message_is_an_error() {
        let (monitor, error) = (SqlstateMonitor::default(), || Message::Error(SqlState::ADMIN_SHUTDOWN));
        let sent = || monitor.has_sent.store(true, Ordering::Release);
        monitor.begin();
        assert!(monitor.statement_not_started());
        sent();
        assert!(!monitor.statement_not_started());
        monitor.on_message(error());
        assert!(monitor.statement_not_started());
        for before in [Message::Answer, error()] {
            monitor.begin();
            sent();
            monitor.on_message(before.clone());
            monitor.on_message(Message::Answer);
            monitor.on_message(error());
            assert_eq!(monitor.statement_not_started(), before == error(), "{before:?}");
        }
    }
}
