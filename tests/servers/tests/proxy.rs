//! The failure-making proxy, against an echo server.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use esoz_test_servers::proxy::Proxy;
use esoz_testkit::wait::wait_for_blocking;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(200);

/// Sends back what it is sent, for as long as the test runs.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    address
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, text: &str) -> std::io::Result<String> {
    stream.write_all(text.as_bytes())?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8(answer).unwrap())
}

#[test]
fn passes_and_counts() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, "hello").unwrap(), "hello");
    let traffic = proxy.traffic();
    assert_eq!((traffic.accepted, traffic.open), (1, 1));
    assert_eq!(traffic.bytes_to_target, 5);
    wait_for_blocking("the answer to be counted", LONG, || {
        (proxy.traffic().bytes_to_client == 5).then_some(())
    });
    drop(stream);
    wait_for_blocking("the connection to be closed", LONG, || (proxy.traffic().open == 0).then_some(()));
}

#[test]
fn a_cut_closes_and_refuses_until_healed() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut stream = connect(&proxy);
    ask(&mut stream, "a").unwrap();
    proxy.cut();
    assert_eq!(proxy.traffic().open, 0);
    assert_eq!(TcpStream::connect(proxy.address()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    ask(&mut stream, "b").unwrap_err();
    proxy.heal();
    assert_eq!(ask(&mut connect(&proxy), "c").unwrap(), "c");
}

#[test]
fn a_stall_holds_back_until_healed() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut old = connect(&proxy);
    ask(&mut old, "a").unwrap();
    proxy.stall();
    let mut new = connect(&proxy);
    for stream in [&mut old, &mut new] {
        stream.set_read_timeout(Some(SHORT)).unwrap();
        stream.write_all(b"b").unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }
    assert_eq!(proxy.traffic().bytes_to_target, 1);
    proxy.heal();
    for stream in [&mut old, &mut new] {
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"b");
    }
}

#[test]
fn half_open_takes_everything_and_answers_nothing_until_healed() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut stream = connect(&proxy);
    proxy.half_open();
    stream.set_read_timeout(Some(SHORT)).unwrap();
    stream.write_all(b"a").unwrap();
    wait_for_blocking("the byte to arrive", LONG, || (proxy.traffic().bytes_to_target == 1).then_some(()));
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    proxy.heal();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"a");
}

#[test]
fn a_delay_delays_both_ways() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut stream = connect(&proxy);
    proxy.delay(SHORT);
    let started = Instant::now();
    ask(&mut stream, "a").unwrap();
    assert!(started.elapsed() >= SHORT * 2, "{:?}", started.elapsed());
}

#[test]
fn a_target_that_is_down_closes_the_connection() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = free.local_addr().unwrap();
    drop(free);
    let proxy = Proxy::start(target).unwrap();
    let mut stream = connect(&proxy);
    ask(&mut stream, "a").unwrap_err();
}
