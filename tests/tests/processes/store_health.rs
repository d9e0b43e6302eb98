//! A SQLite file that cannot be written, or that is gone, while a server has it open.

use std::path::PathBuf;
use std::process::Command;

use esoz_testkit::wait::wait_for;
use esoz_tests::process::{Process, command, esoz};
use esoz_tests::{Answer, DEADLINE, Kind, StopFixture, TestApp, TestStores};
use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::kill::onlooker;
use crate::{environment, with};

/// A server in a process of its own, and an app on the same file that is not asked.
struct Served {
    app: TestApp,
    process: Process,
    base: String,
    path: PathBuf,
    variables: Vec<(String, String)>,
}

impl Served {
    async fn new() -> Self {
        let stores = TestStores::fresh(Kind::Sqlite).await;
        let variables = with(environment(&stores), "ESOZ_CACHE__TTL_MS", "0");
        let path = variables.iter().find(|(name, _)| name == "ESOZ_SQLITE__PATH").unwrap().1.clone().into();
        let app = onlooker(Kind::Sqlite, stores).await;
        let (process, base) = Process::serve_as(&variables, limited);
        let served = Self { app, process, base, path, variables };
        served.until_ready_is(200).await;
        served
    }

    async fn until_ready_is(&self, status: u16) -> Answer {
        wait_for(&format!("{status} for readiness"), DEADLINE, async || {
            let answer = self.app.request_at(&self.base, Method::GET, "/health/ready").send().await;
            if answer.status == status { Ok(answer) } else { Err(answer.body.to_string()) }
        })
        .await
    }

    async fn stop(&self, fixture: &StopFixture) -> Answer {
        let request = self.app.request_at(&self.base, Method::PATCH, &fixture.path());
        request.token(&fixture.token).send().await
    }

    async fn read(&self, fixture: &StopFixture) -> Answer {
        let path = fixture.path();
        let dispense = path.trim_end_matches("/actions/stop");
        self.app.request_at(&self.base, Method::GET, dispense).token(&fixture.token).send().await
    }

    /// Limits the size of the files that the server may write: beyond it every write fails, root's as well, as on a full disk.
    fn limit_files(&self, current: Option<u64>) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
        prlimit(Some(pid), Resource::Fsize, Rlimit { current, maximum }).unwrap();
    }
}

/// The command in a shell that runs that first.
fn after(script: &str, command: Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"{script}; exec "$0" "$@""#)]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// The command, which gets an error of a write beyond the limit of files, not a signal that ends it.
fn limited(command: Command) -> Command {
    after(r#"trap "" XFSZ"#, command)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_told_and_the_server_recovers() {
    // given
    let served = Served::new().await;
    let fixture = StopFixture::load(&served.app).await;
    // when: nothing more can be written
    served.limit_files(Some(1));
    // then: readiness tells without any request that writes, requests that write are refused, reads go on
    let told = served.until_ready_is(503).await.body["error"]["message"].as_str().unwrap().to_owned();
    assert!(told.starts_with("Not ready: sqlite is down since "), "{told}");
    served.process.wait_for_log("checking that the database can be written: disk I/O error");
    served.stop(&fixture).await.assert_unavailable();
    // when: there is room again
    served.limit_files(None);
    // then
    served.until_ready_is(200).await;
    assert_eq!(served.stop(&fixture).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_a_file_that_cannot_be_written_with_a_remedy() {
    let served = Served::new().await;
    let doctor = command(&served.variables, &["doctor"]);
    let mut full = after(r#"trap "" XFSZ; ulimit -f 0"#, doctor);
    let output = full.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("WRONG  SQLite: "), "{told}");
    assert!(told.contains("checking that the database can be written: disk I/O error"), "{told}");
    assert!(told.contains("that their disk has room"), "{told}");
    esoz(&served.variables, &["doctor"]).assert_success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_deleted_or_replaced_while_it_is_served_is_told() {
    let served = Served::new().await;
    let fixture = StopFixture::load(&served.app).await;
    let aside = served.path.with_extension("aside");
    for is_replaced in [false, true] {
        // when
        if is_replaced {
            std::fs::copy(&served.path, served.path.with_extension("copy")).unwrap();
            std::fs::rename(&served.path, &aside).unwrap();
            std::fs::rename(served.path.with_extension("copy"), &served.path).unwrap();
        } else {
            std::fs::rename(&served.path, &aside).unwrap();
        }
        // then: at once for requests, whether they write or read
        served.stop(&fixture).await.assert_unavailable();
        served.read(&fixture).await.assert_unavailable();
        served.until_ready_is(503).await;
        let told = format!("the database {} was deleted or replaced", served.path.display());
        served.process.wait_for_log(&told);
        // when: the right file is there again
        std::fs::rename(&aside, &served.path).unwrap();
        served.until_ready_is(200).await;
    }
    assert_eq!(served.stop(&fixture).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_deleted_while_the_file_is_served_is_told() {
    for suffix in ["-wal", "-shm"] {
        let served = Served::new().await;
        let fixture = StopFixture::load(&served.app).await;
        assert_eq!(served.stop(&fixture).await.status, 200);
        let log = format!("{}{suffix}", served.path.display());
        // when
        std::fs::remove_file(&log).unwrap();
        // then
        served.read(&fixture).await.assert_unavailable();
        served.until_ready_is(503).await;
        served.process.wait_for_log(&format!("{log} was deleted or replaced"));
    }
}

#[test]
fn a_command_that_only_uses_what_is_stored_creates_no_file_at_a_mistyped_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mistyped.sqlite");
    let id = esoz_testkit::builders::fresh().to_string();
    let variables = [
        ("ESOZ_SQLITE__PATH", path.to_str().unwrap()),
        ("ESOZ_PATIENT__KEY", esoz_tests::PATIENT_KEY),
        ("ESOZ_DEVICE_DISPENSE__LIFETIME_S", "60"),
        ("ESOZ_DEVICE_DISPENSE__SYSTEM_USER_ID", &id),
        ("ESOZ_HTTP__BIND", "127.0.0.1:1"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let told = format!("there is no SQLite file {} (`sqlite.path`)", path.display());
    for arguments in [
        vec!["events"],
        vec!["events", "--follow"],
        vec!["events", "--failed"],
        vec!["events", "retry", "--all"],
        vec!["events", "drop", &id],
        vec!["export"],
        vec!["expire"],
        vec!["expire", "--dry-run"],
        vec!["token", "issue", "--user", &id, "--client", &id, "--scope", "device_dispense:stop"],
        vec!["token", "revoke", "none"],
        vec!["api-key", "issue", "--client", &id, "--scope", "private_contracts:write"],
        vec!["api-key", "revoke", "none"],
        vec!["user", "block", &id],
        vec!["client", "unblock", &id],
    ] {
        esoz(&variables, &arguments).assert_failure(&told);
        assert!(!path.exists(), "{arguments:?}");
    }
    let examined = esoz(&variables, &["doctor"]);
    let new = format!("ok     SQLite: {} is not there and will be created", path.display());
    assert!(examined.stdout.contains(&new), "{}", examined.stdout);
    assert!(!examined.stdout.contains("outbox"), "{}", examined.stdout);
    assert!(!path.exists());
    esoz(&variables, &["config", "check"]).assert_success();
    esoz(&variables, &["health"]).assert_failure("asking http://127.0.0.1:1/health/ready");
    assert!(!path.exists());
    for arguments in [vec!["migrate"], vec!["import", "/dev/null"]] {
        esoz(&variables, &arguments).assert_success();
        assert!(path.exists(), "{arguments:?}");
        std::fs::remove_file(&path).unwrap();
    }
}
