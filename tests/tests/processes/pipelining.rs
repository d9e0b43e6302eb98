//! Pipelined requests: of clients that take their answers, and of clients that do not.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;

use esoz_tests::process::Process;
use esoz_tests::{DEADLINE, Kind, TestStores};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::tls_server::{Server, made};
use crate::{environment, with};

/// Clients that flood one address.
const CLIENTS: usize = 50;
/// Requests that each of them sends without reading an answer.
const REQUESTS: usize = 2_500;
/// The most that all of them may cost together: 0.6 MiB for each, which a connection holds at most by construction (`docs/adr/0036`). Unbounded they
/// cost 12 MiB each.
const MAX_BYTES: u64 = 30 << 20;

/// Sends as many requests as the kernels take, and reads nothing.
fn flood(address: &str) -> Vec<TcpStream> {
    let requests = "GET / HTTP/1.1\r\nHost:x\r\n\r\n".repeat(REQUESTS);
    let connect = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut rest = requests.as_bytes();
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(sent) => rest = &rest[sent..],
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                    break;
                }
            }
        }
        stream.set_nonblocking(false).unwrap();
        stream
    };
    let clients: Vec<TcpStream> = (0..CLIENTS).map(connect).collect();
    for client in &clients {
        // An answer has come, so the server has read what there was.
        assert_eq!(client.peek(&mut [0]).unwrap(), 1);
    }
    clients
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_no_answers_cost_little_memory_and_hold_up_nobody() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = with(environment(&stores), "ESOZ_METRICS__BIND", "127.0.0.1:0");
    let (server, base) = Process::serve(&variables);
    let metrics = server.metrics_url();
    let metrics_address = metrics.trim_start_matches("http://").trim_end_matches("/metrics");
    server.scrape().await;
    for address in [base.trim_start_matches("http://"), metrics_address] {
        let before = server.peak_memory_bytes();
        let clients = flood(address);
        for _ in 0..10 {
            // Each on a connection of its own, so of every worker.
            let live = reqwest::get(format!("{base}/health/live")).await.unwrap();
            assert_eq!(live.status().as_u16(), 200);
            assert!(server.scrape().await.contains("esoz_"));
        }
        let grown = server.peak_memory_bytes() - before;
        assert!(grown < MAX_BYTES, "{} clients of {address} cost {grown} bytes", clients.len());
    }
}

/// Sends pipelined requests and takes their answers meanwhile. Gives status and request id of each, in their order.
async fn exchange(stream: impl AsyncRead + AsyncWrite, requests: &str) -> Vec<(u16, String)> {
    let (mut from, mut to) = tokio::io::split(stream);
    let mut received = Vec::new();
    let (sent, read) = tokio::join!(to.write_all(requests.as_bytes()), from.read_to_end(&mut received));
    sent.unwrap();
    read.unwrap();
    let mut rest = std::str::from_utf8(&received).unwrap();
    let mut answers = Vec::new();
    while let Some((head, body)) = rest.split_once("\r\n\r\n") {
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
        };
        answers.push((head[9..12].parse().unwrap(), header("x-request-id").unwrap()));
        rest = &body[header("content-length").unwrap().parse().unwrap()..];
    }
    assert_eq!(rest, "");
    answers
}

/// Pipelined requests that are answered at once, by a store, and with a body that contains what could be ends of heads; and what becomes of each.
fn requests(count: usize) -> (String, Vec<(u16, String)>) {
    let (mut requests, mut expected) = (String::new(), Vec::new());
    for number in 1..=count {
        let (start, status, more) = match number % 3 {
            0 => (
                "PATCH /nothing",
                404,
                "Transfer-Encoding: chunked\r\n\r\n8\r\n\n\n\n\n\r\n\r\n\r\n0\r\n\r\n",
            ),
            1 => ("GET /health/live", 200, "\r\n"),
            _ => ("GET /health/ready", 200, "\r\n"),
        };
        let id = format!("{number:08x}-0000-4000-8000-000000000000");
        write!(requests, "{start} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {id}\r\n{more}").unwrap();
        expected.push((status, id));
    }
    let id = "ffffffff-0000-4000-8000-000000000000";
    write!(
        requests,
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {id}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    expected.push((200, id.to_owned()));
    (requests, expected)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_gets_every_answer_in_order() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let (_server, base) = Process::serve(&environment(&stores));
    let (requests, expected) = requests(1_000);
    let stream = tokio::net::TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    assert_eq!(exchange(stream, &requests).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_by_tls_gets_every_answer_in_order() {
    let made = made();
    let server = Server::start_with(&made, &[]).await;
    let (requests, expected) = requests(1_000);
    assert_eq!(exchange(server.stream(&made).await, &requests).await, expected);
}
