//! Servers that a test run shares, and servers whose owner is killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use esoz_test_servers::shared;
use esoz_testkit::wait::wait_for_blocking;

use super::{LONG, runs};

#[test]
fn shared_servers_answer() {
    let postgres = shared::postgres();
    let url = postgres.create_database().unwrap();
    assert_eq!(postgres.query_in(&url, "select 1").unwrap(), "1");
    postgres.drop_database(&url).unwrap();
    assert!(postgres.version().split('.').next().unwrap().parse::<u32>().unwrap() >= 15);

    assert!(shared::mongodb().uri().starts_with("mongodb://"));
    assert!(shared::mongodb().version().split('.').next().unwrap().parse::<u32>().unwrap() >= 6);

    let topic = format!("shared_{}", std::process::id());
    shared::kafka().create_topic(&topic, 1).unwrap();
    let again = shared::kafka().create_topic(&topic, 1).unwrap_err().to_string();
    assert!(again.contains("exists already"), "{again}");
}

#[test]
fn servers_die_with_their_owner_even_when_it_is_killed() {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_esoz-test-servers"))
        .args(["postgres", "mongodb", "kafka"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pids = Vec::new();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    for kind in ["postgres", "mongodb", "kafka"] {
        let line = lines.next().unwrap().unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[0], kind);
        pids.push(words[1].parse::<u32>().unwrap());
    }
    let folders: Vec<_> =
        pids.iter().map(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap()).collect();
    // Postgres changes to its data folder, inside the server's.
    assert!(folders.iter().all(|folder| folder.to_string_lossy().contains("esoz-test-")), "{folders:?}");
    // Some of them paused: a process that stands still must die as well.
    kill("-STOP", pids[0]);
    kill("-KILL", owner.id());
    owner.wait().unwrap();
    wait_for_blocking("the servers to be gone", LONG, || {
        let left: Vec<&u32> = pids.iter().filter(|pid| runs(**pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("still there: {left:?}")) }
    });
    wait_for_blocking("their folders to be gone", LONG, || {
        let left: Vec<_> = folders.iter().filter(|folder| Path::new(folder).exists()).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("still there: {left:?}")) }
    });
}

fn kill(signal: &str, pid: u32) {
    // The shell's own `kill`, which every machine has.
    let status = Command::new("sh").args(["-c", "kill $0 $1", signal, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}
