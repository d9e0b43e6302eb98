//! What is delivered when.

mod connection;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use actix_http::{Payload, Request, h1};
use actix_web::web::Bytes;
use futures_util::StreamExt as _;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::AsyncWrite as _;

use super::pipeline::{WAITING_MAX, WAITING_MAX_BYTES};
use connection::{Connection, HEAD, Wakes, heads};

#[test]
fn as_many_heads_as_may_wait_are_delivered_and_each_start_lets_one_more_through() {
    let mut connection = Connection::new([heads(20)]);
    let pipeline = connection.pipeline();
    // The request before them is in progress.
    let (_, in_use) = pipeline.start(Request::new());
    assert_eq!(connection.read_all(), heads(WAITING_MAX));
    assert_eq!(connection.woken(), 0);

    let (_, next) = pipeline.start(Request::new());
    assert_eq!(connection.woken(), 1);
    drop(in_use);
    assert_eq!(connection.read_all(), heads(1));
    assert!(connection.read(8_192).is_none());
    assert_eq!(connection.woken(), 0, "the task waits and does not spin");

    drop(next);
    assert_eq!(connection.woken(), 1);
}

#[test]
fn while_a_client_takes_no_answer_nothing_is_read_and_its_first_read_wakes_the_reader() {
    let mut connection = Connection::new([heads(1), heads(1)]);
    assert_eq!(connection.read(8_192), Some(heads(1)));
    connection.stream_client().takes_nothing = true;
    assert!(!connection.write());
    assert_eq!(connection.read_all(), b"");
    // Nothing else may wake it in vain.
    drop(connection.pipeline().start(Request::new()));
    assert_eq!(connection.woken(), 0);

    connection.stream_client().takes_nothing = false;
    assert!(connection.write());
    assert_eq!(connection.woken(), 1);
    assert_eq!(connection.read_all(), heads(1));
}

#[test]
fn a_flush_that_is_blocked_stops_reading_as_well() {
    let mut connection = Connection::new([heads(1)]);
    let waker = Waker::from(connection.wakes.clone());
    let mut context = Context::from_waker(&waker);
    connection.stream_client().takes_nothing = true;
    assert!(Pin::new(&mut connection.stream).poll_flush(&mut context).is_pending());
    connection.stream_client().takes_nothing = false;
    // What is written into a buffer of TLS is not sent yet.
    assert!(Pin::new(&mut connection.stream).poll_write(&mut context, b"answer").is_ready());
    assert!(connection.read(8_192).is_none());
    assert!(Pin::new(&mut connection.stream).poll_flush(&mut context).is_ready());
    assert_eq!((connection.woken(), connection.read_all()), (1, heads(1)));
}

#[test]
fn what_was_counted_in_a_body_is_forgotten_when_no_request_is_in_progress() {
    // One line feed, which ends no head, and 40 that could.
    let mut connection = Connection::new([vec![b'\n'; 41]]);
    let mut delivered = 0;
    for expected in [WAITING_MAX + 1, WAITING_MAX, 10] {
        let read = connection.read_all();
        assert_eq!(read.len(), expected);
        delivered += expected;
        // It has woken itself, so that the parser runs once on all it was given.
        assert_eq!(connection.woken(), usize::from(delivered < 41));
    }
    assert_eq!(delivered, 41);
}

#[test]
fn a_parser_that_starts_requests_is_not_starved() {
    let mut connection = Connection::new([heads(40)]);
    let pipeline = connection.pipeline();
    assert_eq!(connection.read_all(), heads(WAITING_MAX));
    // It was about to look once more, and the parser has started and finished a request meanwhile.
    drop(pipeline.start(Request::new()));
    assert_eq!(connection.read_all(), heads(1));
    drop(pipeline.start(Request::new()));
    assert_eq!(connection.read_all(), heads(1));
}

#[test]
fn a_body_of_empty_lines_goes_on_while_its_handler_waits_for_it_and_not_otherwise() {
    let mut connection = Connection::new([vec![b'\n'; 100]]);
    let pipeline = connection.pipeline();
    let (mut sender, payload) = h1::Payload::create(false);
    let (mut request, _answer) = pipeline.start(Request::with_payload(Payload::H1 { payload }));
    let mut body = request.take_payload();
    let (handler, mut chunk) = (Arc::new(Wakes::default()), move |handler: &Arc<Wakes>| {
        body.poll_next_unpin(&mut Context::from_waker(&Waker::from(handler.clone())))
    });

    assert_eq!(connection.read_all().len(), WAITING_MAX + 1);
    assert!(connection.read(8_192).is_none());
    assert_eq!(connection.woken(), 0, "the handler has not asked for the body");

    assert!(chunk(&handler).is_pending());
    assert_eq!(connection.woken(), 1, "it has");
    assert!(connection.read(8_192).is_none(), "the parser is to run first");
    assert_eq!(connection.woken(), 1);
    sender.feed_data(Bytes::from_static(b"\n"));
    assert_eq!(handler.0.load(Ordering::Relaxed), 1);
    assert!(connection.read(8_192).is_none(), "the handler has something to read");
    assert_eq!(connection.woken(), 0);

    assert!(chunk(&handler).is_ready());
    assert!(chunk(&handler).is_pending());
    assert_eq!(connection.woken(), 1);
    assert!(connection.read(8_192).is_none());
    assert_eq!(connection.read_all().len(), WAITING_MAX);

    sender.feed_eof();
    assert!(matches!(chunk(&handler), Poll::Ready(None)));
    assert!(connection.read(8_192).is_none());
    drop(chunk);
    assert!(connection.read(8_192).is_none(), "its answer is in progress");
}

#[test]
fn bytes_behind_a_head_that_waits_are_bounded_and_a_body_is_not() {
    let body = || std::iter::repeat_n(vec![b'x'; 8_192], 100);
    let mut connection = Connection::new([heads(1)].into_iter().chain(body()));
    let pipeline = connection.pipeline();
    let (_, _in_use) = pipeline.start(Request::new());
    let read = connection.read_all().len();
    assert!((WAITING_MAX_BYTES..WAITING_MAX_BYTES + 8_192).contains(&read), "{read}");

    let (_, _next) = pipeline.start(Request::new());
    assert_eq!(connection.woken(), 1);
    assert_eq!(read + connection.read_all().len(), HEAD.len() + 100 * 8_192);
}

const POST: &[u8] = b"POST / HTTP/1.1\r\ncontent-LENGTH: 5\r\nHost: x\r\n\r\n";

#[test]
fn a_head_with_a_body_waits_for_its_turn_however_it_is_cut() {
    let sent = [HEAD, POST, b"12345", HEAD].concat();
    for at in HEAD.len()..sent.len() {
        let (first, second) = sent.split_at(at);
        let mut connection = Connection::new([first.to_vec(), second.to_vec()]);
        let pipeline = connection.pipeline();
        let complete = HEAD.len() + POST.len();
        assert_eq!(connection.read_all(), sent[..complete - 1], "cut at {at}");
        let (_, in_use) = pipeline.start(Request::new());
        assert_eq!(connection.read_all(), b"", "cut at {at}: the request before it is in progress");
        connection.woken();
        drop(in_use);
        assert_eq!(connection.woken(), 1);
        assert_eq!(connection.read_all(), sent[complete - 1..], "cut at {at}");
    }
}

#[test]
fn what_looks_like_a_head_in_a_body_is_delivered_once_the_handler_waits_for_it() {
    let sent = [POST, POST, POST].concat();
    let mut connection = Connection::new([sent.clone()]);
    let pipeline = connection.pipeline();
    let mut delivered = connection.read_all();
    assert_eq!(delivered.len(), 2 * POST.len() - 1);
    let (_sender, payload) = h1::Payload::create(false);
    let (mut request, _answer) = pipeline.start(Request::with_payload(Payload::H1 { payload }));
    let mut body = request.take_payload();
    assert_eq!(connection.read_all(), b"");
    connection.woken();
    assert!(body.poll_next_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    while connection.woken() > 0 {
        delivered.extend(connection.read_all());
    }
    assert_eq!(delivered, sent);
}

proptest! {
    #[test]
    fn everything_arrives_in_order_however_it_is_cut(
        pieces in vec(vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a')], 1..40), 0..20),
        rooms in vec(1_usize..50, 1..8),
    ) {
        let sent = pieces.concat();
        let mut connection = Connection::new(pieces);
        // A client's piece fits into one read; what is held need not.
        let mut rooms = rooms.into_iter().cycle();
        let mut delivered = Vec::new();
        let mut in_vain = 0;
        while in_vain < 2 {
            let room = if connection.stream_is_holding() { rooms.next().unwrap() } else { 40 };
            match connection.read(room) {
                Some(read) => {
                    prop_assert!(ends_of_heads(&delivered, &read) <= WAITING_MAX);
                    delivered.extend(read);
                    in_vain = 0;
                }
                None => in_vain += 1,
            }
        }
        prop_assert_eq!(delivered, sent);
    }
}

/// How many heads, as short as they may be, end in `read`, which came after `before`.
fn ends_of_heads(before: &[u8], read: &[u8]) -> usize {
    let text: Vec<u8> = before.iter().chain(read).copied().filter(|byte| *byte != b'\r').collect();
    let old = before.iter().filter(|byte| **byte != b'\r').count();
    (old.max(1)..text.len()).filter(|at| text[*at] == b'\n' && text[*at - 1] == b'\n').count()
}
