//! `esoz demo`: what a newcomer sees.

use std::process::Command;

use esoz_testkit::builders::fresh;
use esoz_testkit::wait::wait_for_blocking;
use esoz_tests::DEADLINE;
use esoz_tests::process::{Process, esoz};
use serde_json::{Value, json};

/// Runs printed commands as they stand, as pasting them into a shell does. Returns what they print.
fn paste(commands: &str) -> String {
    let output = Command::new("sh").args(["-c", commands]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a printed request. Returns its answer.
fn request(command: &str) -> Value {
    serde_json::from_str(&paste(command)).unwrap()
}

/// What the demo prints to be pasted, in its order: requests, and the story among them.
fn printed_commands(demo: &Process) -> Vec<String> {
    let printed = wait_for_blocking("the requests", DEADLINE, || {
        let text = demo.stdout().join("\n");
        text.contains("Where to look next").then_some(text)
    });
    let is_command = |part: &&str| part.starts_with("curl ") || part.starts_with("TOKEN=");
    let commands: Vec<String> = printed.split("\n\n").filter(is_command).map(str::to_owned).collect();
    assert_eq!(commands.len(), 6, "{printed}");
    commands
}

#[test]
fn what_is_printed_succeeds_as_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo");
    let arguments = ["demo", "--folder", path.to_str().unwrap()];
    for _ in 0..2 {
        // Port 0 is taken for what it says, so that tests do not meet.
        let variables = vec![("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned())];
        let mut demo = Process::start(&variables, &arguments);
        let commands = printed_commands(&demo);
        let [stop, update, life, birth_to_end, of_patient, contract_divisions] = commands.as_slice() else {
            unreachable!()
        };
        assert_eq!(request(stop)["data"]["status"], "stopped");
        let again = request(stop);
        assert_eq!(again["meta"]["code"], 409);
        assert_eq!(again["error"]["message"], "Device dispense in status stopped cannot be stopped");
        for _ in 0..2 {
            assert_eq!(request(update)["meta"]["code"], 200);
        }
        let answers = paste(life);
        let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [listed, shown, stopped, events] = answers.as_slice() else { panic!("{answers:?}") };
        let id = &shown["data"]["id"];
        assert!(entries(listed).any(|one| one["id"] == *id), "{listed}");
        assert_eq!(shown["data"]["status"], "in_progress");
        assert_eq!((&stopped["data"]["id"], &stopped["data"]["status"]), (id, &"stopped".into()));
        let told = |event: &Value| {
            event["entity_id"] == *id && event["properties"]["status"]["new_value"] == "stopped"
        };
        assert_eq!(entries(events).filter(|event| told(event)).count(), 1, "{events}");
        let answers = paste(birth_to_end);
        let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let codes: Vec<&Value> = answers.iter().map(|answer| &answer["meta"]["code"]).collect();
        assert_eq!(codes, [201, 200, 409, 201, 200, 200], "{answers:?}");
        let statuses: Vec<&Value> = answers[..5].iter().map(|answer| &answer["data"]["status"]).collect();
        assert_eq!(
            statuses,
            [
                &json!("in_progress"),
                &json!("completed"),
                &Value::Null,
                &json!("in_progress"),
                &json!("entered_in_error")
            ]
        );
        assert_eq!(
            answers[2]["error"]["message"],
            "Device dispense in status completed cannot be marked in error"
        );
        assert!(entries(&answers[5]).any(|event| event["properties"]["status"]["new_value"] == "completed"));
        assert!(entries(&request(of_patient)).any(|one| one["id"] == *id));
        assert!(entries(&request(contract_divisions)).all(|one| one["is_active"] == true));
        let store = path.join("esoz.sqlite");
        let variables = vec![("ESOZ_SQLITE__PATH".to_owned(), store.to_str().unwrap().to_owned())];
        assert!(esoz(&variables, &["events"]).assert_success().stdout.contains("\"stopped\""));
        demo.terminate();
        assert_eq!(demo.wait().code(), Some(0));
    }
}

#[test]
fn the_log_says_what_was_looked_for_and_not_found() {
    let variables = vec![("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned())];
    let demo = Process::start(&variables, &["demo"]);
    let stop = &printed_commands(&demo)[0];
    let (_, path) = stop.split_once("/api/").unwrap();
    let (path, _) = path.split_once('\'').unwrap();
    let (_, id) = path.split_once("device_dispenses/").unwrap();
    let (id, _) = id.split_once('/').unwrap();
    let other = fresh().to_string();
    assert_eq!(request(&stop.replace(id, &other))["meta"]["code"], 404);
    let line: Value = serde_json::from_str(&demo.wait_for_log(&other)).unwrap();
    assert_eq!(line["path"], format!("/api/{}", path.replace(id, &other)));
    assert_eq!((&line["status"], &line["reason"]), (&404.into(), &"unknown".into()));
    assert_eq!(line["client_id"], "1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10");
    // What is found is told as by every server.
    assert_eq!(request(stop)["data"]["status"], "stopped");
    let line: Value = serde_json::from_str(&demo.wait_for_log("\"outcome\":\"ok\"")).unwrap();
    assert_eq!((line.get("path"), line["status"].as_u64()), (None, Some(200)));
}

#[test]
fn the_log_names_a_new_store_and_the_field_in_which_a_signed_document_differs() {
    let variables = vec![("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned())];
    let demo = Process::start(&variables, &["demo"]);
    let story = &printed_commands(&demo)[3];
    demo.wait_for_log("a new, empty store is made");
    let until_completed: Vec<_> =
        story.lines().take_while(|line| !line.ends_with("mark_in_error \"$MISTAKE\"")).collect();
    let differing =
        until_completed.join("\n").replace("\"payment_amount\"", "\"details\":[],\"payment_amount\"");
    let answers = paste(&differing);
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [recorded, refused] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((&recorded["meta"]["code"], &refused["meta"]["code"]), (&201.into(), &422.into()));
    assert_eq!(refused["error"]["invalid"][0]["entry"], "$.signed_data");
    let line: Value = serde_json::from_str(&demo.wait_for_log("signed_content_mismatch")).unwrap();
    assert_eq!(line["reason"], "details");
}

/// The entries of a list; there are some.
fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    let entries = list["data"].as_array().unwrap();
    assert!(!entries.is_empty(), "{list}");
    entries.iter()
}

#[test]
fn a_folder_with_other_files_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.rs"), "").unwrap();
    let refused = esoz(&[], &["demo", "--folder", folder.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("has other files than a demo's"), "{}", refused.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_with_what_a_killed_demo_left_is_taken() {
    // A key that was being written, and one that was: what comes first in a demo's folder.
    for (left, content) in
        [(".patient.key-a1B2c3", ""), ("patient.key", "an-invented-key-of-more-than-32-characters")]
    {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(left), content).unwrap();
        let variables = [("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned())];
        let demo = Process::start(&variables, &["demo", "--folder", folder.path().to_str().unwrap()]);
        demo.wait_for_lines(1);
    }
}

#[test]
fn a_temporary_store_is_gone_with_the_demo_and_the_next_free_port_is_taken() {
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = first.local_addr().unwrap();
    let port = taken.port().to_string();
    let variables = vec![("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned())];
    let mut demo = Process::start(&variables, &["demo", "--port", &port]);
    let commands = printed_commands(&demo);
    assert!(demo.stdout().iter().any(|line| line.starts_with(&format!("Port {port} is in use."))));
    assert!(!commands[0].contains(&format!("{taken}/")), "{}", commands[0]);
    assert_eq!(request(&commands[0])["meta"]["code"], 200);
    let printed = demo.stdout().join("\n");
    let (_, store) = printed.split_once("the SQLite file ").unwrap();
    let store = std::path::PathBuf::from(store.lines().next().unwrap());
    assert!(store.exists());
    demo.terminate();
    assert_eq!(demo.wait().code(), Some(0));
    assert!(!store.exists());
}
