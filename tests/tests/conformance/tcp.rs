//! A TCP connection without an HTTP client.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use esoz_tests::{DEADLINE, TestApp};

/// Sends that on a connection of its own.
pub(crate) fn connect(app: &TestApp, send: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.base().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(DEADLINE + Duration::from_secs(1))).unwrap();
    stream.write_all(send.as_bytes()).unwrap();
    stream
}

/// What the server sends until it closes the connection, which it must.
pub(crate) fn closed(mut stream: TcpStream) -> tokio::task::JoinHandle<String> {
    tokio::task::spawn_blocking(move || {
        let mut received = String::new();
        let started = Instant::now();
        // However it is closed, it is closed.
        let _ = stream.read_to_string(&mut received);
        assert!(started.elapsed() < DEADLINE, "the connection was left open");
        received
    })
}
