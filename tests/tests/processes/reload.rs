//! SIGHUP reloads what can be reloaded, and ends nothing.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use esoz_testkit::wait::{wait_for, wait_for_blocking};
use esoz_tests::process::Process;
use esoz_tests::{DEADLINE, Documents, Kind, TestStores};
use serde_json::Value;

use crate::{environment, tls_server, with};

fn write(file: &Path, level: &str, more: &str) {
    std::fs::write(file, format!("[log]\nlevel = \"{level}\"\n{more}")).unwrap();
}

/// The lines of its log about SIGHUP.
fn told(server: &Process) -> Vec<Value> {
    let lines = server.stderr().into_iter().filter(|line| line.contains("SIGHUP: "));
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

/// Sends SIGHUP, and waits for the line about it.
async fn hang_up(server: &Process) -> Value {
    let before = told(server).len();
    server.hang_up();
    wait_for("a line about SIGHUP", DEADLINE, async || told(server).get(before).cloned()).await
}

fn answered(server: &Process) -> usize {
    server.stderr().iter().filter(|line| line.contains("\"status\":404")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_changed_file_when_sighup_comes_then_the_log_level_is_reloaded_and_the_rest_is_named() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("esoz.toml");
    write(&file, "info", "");
    let (mut server, base) =
        Process::serve(&with(environment(&stores), "ESOZ_CONFIG", file.to_str().unwrap()));
    let ask = async || assert_eq!(reqwest::get(format!("{base}/nothing")).await.unwrap().status(), 404);

    let line = hang_up(&server).await;
    assert_eq!(line["message"], "SIGHUP: the configuration has not changed");

    write(&file, "warn", "[cache]\nttl_ms = 1\n[http]\nmax_in_flight = 7\n");
    let line = hang_up(&server).await;
    assert_eq!(
        (line["level"].as_str(), line["needs_restart"].as_str()),
        (Some("WARN"), Some("http.max_in_flight, cache.ttl_ms")),
        "{line}"
    );
    let message = line["message"].as_str().unwrap();
    assert!(message.starts_with("SIGHUP: the log level was reloaded"), "{message}");
    ask().await;

    let tls =
        "[tls]\ncertificate_file = \"/nowhere/certificate.pem\"\nprivate_key_file = \"/nowhere/key.pem\"\n";
    write(&file, "warn", tls);
    let line = hang_up(&server).await;
    let error = line["error"].as_str().unwrap();
    assert!(
        error.contains("would not start with it") && error.contains("/nowhere/certificate.pem"),
        "{line}"
    );

    write(&file, "loud", "");
    let line = hang_up(&server).await;
    assert_eq!(line["level"], "ERROR");
    assert!(line["error"].as_str().unwrap().contains("`log.level` must be"), "{line}");

    write(&file, "info", "");
    let line = hang_up(&server).await;
    assert_eq!(line["message"], "SIGHUP: the log level was reloaded");
    ask().await;
    wait_for("a line about the request", DEADLINE, async || (answered(&server) > 0).then_some(())).await;
    assert_eq!(answered(&server), 1, "a request was logged at level warn");

    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
}

/// Waits until somebody reads the named pipe, and keeps it open, so that the reading does not end.
async fn until_read(pipe: &Path) -> std::fs::File {
    let open = || {
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        std::fs::OpenOptions::new().write(true).custom_flags(flags).open(pipe)
    };
    wait_for("a reader of the named pipe", DEADLINE, async || open().ok()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_read_to_their_end_hold_neither_requests_nor_the_end() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("esoz.toml");
    write(&file, "info", "");
    let (mut server, base) =
        Process::serve(&with(environment(&stores), "ESOZ_CONFIG", file.to_str().unwrap()));
    // given: what a mount that hangs is like
    std::fs::remove_file(&file).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(pipe.success());
    // when
    server.hang_up();
    let kept = until_read(&file).await;
    // then
    assert_eq!(reqwest::get(format!("{base}/health/live")).await.unwrap().status(), 200);
    server.wait_for_log("the files could not be read within 10s: their file system does not answer");
    server.hang_up();
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    drop(kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sighup_the_certificate_is_reloaded_at_once() {
    let (one, other) = (tls_server::made(), tls_server::made());
    let server = tls_server::Server::start_with(&one, &[("ESOZ_TLS__RELOAD_MS", "3600000")]).await;
    server.process.hang_up();
    server.process.wait_for_log("SIGHUP: the TLS certificate has not changed");

    tls_server::write(&server.folder, "broken", &other.signing_key.serialize_pem());
    server.process.hang_up();
    server.process.wait_for_log("the TLS certificate was not reloaded; the old one stays in use");
    server.until_shown(&one).await;

    tls_server::write(&server.folder, &other.cert.pem(), &other.signing_key.serialize_pem());
    server.process.hang_up();
    server.process.wait_for_log("the TLS certificate was reloaded");
    server.until_shown(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sighup_authorities_and_revocation_lists_are_read_again() {
    let (stores, documents) = (TestStores::fresh(Kind::Sqlite).await, Documents::new());
    let variables = [environment(&stores), documents.variables().to_vec()].concat();
    let file = &variables.iter().find(|(name, _)| name == "ESOZ_SIGNATURE__AUTHORITIES_FILE").unwrap().1;
    let (server, _) = Process::serve(&variables);
    std::fs::write(file, "garbage").unwrap();
    server.hang_up();
    server.wait_for_log("SIGHUP: the authorities and revocation lists of signatures were not reloaded; the old ones stay in force");
    std::fs::write(file, documents.authority.certificate_pem().unwrap()).unwrap();
    server.hang_up();
    server.wait_for_log("SIGHUP: the authorities and revocation lists of signatures were reloaded");
}

#[test]
fn a_demo_whose_terminal_is_closed_stops_and_removes_its_store() {
    for is_starting in [true, false] {
        let temporary = tempfile::tempdir().unwrap();
        let variables = [
            ("ESOZ_HTTP__BIND".to_owned(), "0".to_owned()),
            ("TMPDIR".to_owned(), temporary.path().to_str().unwrap().to_owned()),
        ];
        let mut demo = Process::start(&variables, &["demo"]);
        let stores = || std::fs::read_dir(&temporary).unwrap().count();
        wait_for_blocking("the folder of the store", DEADLINE, || (stores() == 1).then_some(()));
        if !is_starting {
            demo.wait_for_lines(1);
        }
        demo.hang_up();
        assert_eq!((demo.wait().code(), stores()), (Some(0), 0), "{is_starting}");
    }
}
