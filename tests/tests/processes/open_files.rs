//! The limit of open files: raised as far as allowed, and held against the configuration.

use std::process::{Command, Stdio};

use esoz_tests::process::{Process, command};
use esoz_tests::{Kind, TestStores};
use serde_json::Value;

use crate::{environment, with};

/// The same command where a process may open 300 files, and 2,000 if it asks for them.
fn limited(command: Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 300 && ulimit -Hn 2000 && exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_open_files_is_raised_and_a_shortage_is_told() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = |connections| with(environment(&stores), "ESOZ_HTTP__MAX_CONNECTIONS", connections);

    // 2 * 400 connections of 2 files each, and what else is open.
    let (enough, _) = Process::serve_as(&variables("400"), limited);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", enough.id())).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().take(2).collect::<Vec<_>>(), ["2000", "2000"]);
    assert!(enough.stderr().iter().all(|line| !line.contains("max_connections")), "{:?}", enough.stderr());

    let (short, base) = Process::serve_as(&variables("500"), limited);
    let line = short.wait_for_log("the process may not open as many files as it has connections");
    for part in ["`http.max_connections` (500)", "2 workers", "2140 open files", "may have 2000"] {
        assert!(line.contains(part), "{line}");
    }
    // It is a warning: the server serves.
    assert_eq!(reqwest::get(format!("{base}/health/live")).await.unwrap().status().as_u16(), 200);

    let doctor =
        limited(command(&variables("500"), &["doctor", "--json"])).stdin(Stdio::null()).output().unwrap();
    let findings = String::from_utf8(doctor.stdout).unwrap();
    let findings: Vec<Value> = findings.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let finding = findings.iter().find(|finding| finding["what"] == "open files").unwrap();
    assert_eq!(finding["ok"], true);
    assert!(finding["unsafe"]["why"].as_str().unwrap().contains("2140 open files"), "{finding}");
}
