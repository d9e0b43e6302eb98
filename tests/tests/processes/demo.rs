//! `esoz demo`: what a newcomer sees.

use std::process::Command;

use esoz_testkit::wait::wait_for_blocking;
use esoz_tests::DEADLINE;
use esoz_tests::process::{Process, esoz};
use serde_json::Value;

/// Runs a printed request as it stands, as pasting it into a shell does.
fn paste(command: &str) -> Value {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn printed_requests(demo: &Process) -> Vec<String> {
    let printed = wait_for_blocking("the requests", DEADLINE, || {
        let text = demo.stdout().join("\n");
        text.contains("Where to look next").then_some(text)
    });
    let requests: Vec<String> =
        printed.split("\n\n").filter(|part| part.starts_with("curl ")).map(str::to_owned).collect();
    assert_eq!(requests.len(), 7, "{printed}");
    requests
}

#[test]
fn the_printed_requests_succeed_as_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo");
    let arguments = ["demo", "--folder", path.to_str().unwrap()];
    for _ in 0..2 {
        // Port 0 is taken for what it says, so that tests do not meet.
        let variables = vec![("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned())];
        let mut demo = Process::start(&variables, &arguments);
        let requests = printed_requests(&demo);
        assert_eq!(paste(&requests[0])["data"]["status"], "stopped");
        let again = paste(&requests[0]);
        assert_eq!(again["meta"]["code"], 409);
        assert_eq!(again["error"]["message"], "Device dispense in status stopped cannot be stopped");
        for _ in 0..2 {
            assert_eq!(paste(&requests[1])["meta"]["code"], 200);
        }
        assert_eq!(paste(&requests[2])["data"]["status"], "stopped");
        for list in &requests[3..5] {
            assert_eq!(paste(list)["meta"]["type"], "list");
        }
        assert!(paste(&requests[4])["data"].as_array().unwrap().iter().any(|one| one["status"] == "stopped"));
        assert_eq!(paste(&requests[5])["data"]["is_active"], true);
        let store = path.join("esoz.sqlite");
        let variables = vec![("ESOZ_SQLITE__PATH".to_owned(), store.to_str().unwrap().to_owned())];
        wait_for_blocking("the event", DEADLINE, || {
            esoz(&variables, &["events"]).assert_success().stdout.contains("\"stopped\"").then_some(())
        });
        let listed = paste(&requests[6]);
        let is_stop = |event: &Value| event["properties"]["status"]["new_value"] == "stopped";
        assert!(listed["data"].as_array().unwrap().iter().any(is_stop), "{listed}");
        demo.terminate();
        assert_eq!(demo.wait().code(), Some(0));
    }
}

#[test]
fn a_temporary_store_is_gone_with_the_demo_and_the_next_free_port_is_taken() {
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = first.local_addr().unwrap();
    let variables = vec![("ESOZ_HTTP__BIND".to_owned(), taken.to_string())];
    let mut demo = Process::start(&variables, &["demo"]);
    let requests = printed_requests(&demo);
    assert!(!requests[0].contains(&format!("{taken}/")), "{}", requests[0]);
    assert_eq!(paste(&requests[0])["meta"]["code"], 200);
    let printed = demo.stdout().join("\n");
    let (_, store) = printed.split_once("the SQLite file ").unwrap();
    let store = std::path::PathBuf::from(store.lines().next().unwrap());
    assert!(store.exists());
    demo.terminate();
    assert_eq!(demo.wait().code(), Some(0));
    assert!(!store.exists());
}
