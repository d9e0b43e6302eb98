//! PostgreSQL, killed and paused.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use esoz_test_servers::{Durability, Postgres};
use esoz_testkit::wait::wait_for_blocking;

use super::{LONG, runs};

#[test]
fn postgres_keeps_its_data_through_a_kill() {
    let mut server = Postgres::start(Durability::On).unwrap();
    let url = server.create_database().unwrap();
    let address = server.address().clone();
    address.query_in(&url, "create table t as select 42 as answer").unwrap();
    assert_eq!(address.query("show fsync").unwrap(), "on");
    let (pid, port, dir) = (server.pid().unwrap(), server.port(), server.log_path().to_owned());

    server.stop().unwrap();
    assert!(!runs(pid));
    server.pid().unwrap_err();
    address.query("select 1").unwrap_err();

    server.restart().unwrap();
    assert_eq!(server.port(), port);
    assert_ne!(server.pid().unwrap(), pid);
    assert_eq!(address.query_in(&url, "select answer from t").unwrap(), "42");

    address.drop_database(&url).unwrap();
    address.query_in(&url, "select 1").unwrap_err();
    let pid = server.pid().unwrap();
    drop(server);
    assert!(!runs(pid));
    assert!(!dir.parent().unwrap().exists(), "the folder is removed");
}

#[test]
fn postgres_answers_nothing_while_paused() {
    let server = Postgres::start(Durability::Off).unwrap();
    let address = server.address().clone();
    assert_eq!(address.query("show fsync").unwrap(), "off");
    server.pause().unwrap();
    let asked = std::thread::spawn(move || address.query("select 7"));
    // The kernel takes the connection; nobody answers on it.
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap(); // "do you speak TLS?"
    stream.read_exact(&mut [0]).unwrap_err();
    assert!(!asked.is_finished());
    server.resume().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert_eq!(asked.join().unwrap().unwrap(), "7");
}

#[test]
fn a_paused_postgres_with_clients_can_be_killed_and_restarted() {
    let mut server = Postgres::start(Durability::Off).unwrap();
    let address = server.address().clone();
    let busy = std::thread::spawn(move || address.query("select pg_sleep(600)"));
    let address = server.address().clone();
    wait_for_blocking("the sleeper", LONG, || {
        let count =
            address.query("select count(*) from pg_stat_activity where query like 'select pg_sleep%'");
        (count.unwrap() == "1").then_some(())
    });
    server.pause().unwrap();
    server.restart().unwrap();
    busy.join().unwrap().unwrap_err();
    assert_eq!(address.query("select 1").unwrap(), "1");
}
