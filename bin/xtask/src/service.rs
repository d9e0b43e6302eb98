//! A running server with data of its own, which requests are tried on.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::steps::{Steps, say};
use crate::test;

/// The data that the service has, with this dispense in progress, and as many like it as are needed.
const DATA: &str = "bin/esoz/src/cli/demo_data.ndjson";
const DISPENSE: &str = "29dc859e-37fa-481d-8526-e95ac76036dd";
pub(crate) const PATIENT: &str = "aff00bf6-68bf-4b49-b66d-f031d48922b3";
const PHARMACY: &str = "1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10";
/// The user's taxpayer number.
const DRFO: &str = "3126509816";
const USER: &str = "5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01";

/// How long the server may take to come up.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running server on SQLite, whose store has the demo's data, and what it must not log.
pub(crate) struct Service {
    program: PathBuf,
    scratch: TempDir,
    server: Child,
    pub(crate) base: String,
    /// Of a user who may do everything, at the pharmacy that recorded the dispenses.
    pub(crate) token: String,
    pub(crate) api_key: String,
    /// The dispenses in progress.
    pub(crate) dispenses: Vec<String>,
}

impl Service {
    /// Starts it; with so many dispenses in progress besides the demo's.
    pub(crate) fn start(steps: &Steps, program: PathBuf, more_dispenses: u64) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("esoz-xtask-").tempdir()?;
        let folder = scratch.path();
        let (data, dispenses) = data(steps, more_dispenses)?;
        fs::write(folder.join("data.ndjson"), data).context("writing the server's data")?;
        let esoz = |arguments: &[&str]| finished(command(&program, folder).args(arguments));
        esoz(&["migrate"])?;
        esoz(&["import", "data.ndjson"])?;
        let contracts = "private_contracts:write private_contracts:read";
        let writes = "device_dispense:write device_dispense:complete device_dispense:mark_in_error";
        let scope = &format!("device_dispense:stop device_dispense:read event:read {writes} {contracts}");
        let token = esoz(&[
            "token", "issue", "--user", USER, "--client", PHARMACY, "--scope", scope, "--ttl", "24h",
        ])?;
        let api_key = esoz(&["api-key", "issue", "--client", PHARMACY, "--scope", contracts])?;
        let log = File::create(folder.join("log"))?;
        let server = command(&program, folder).arg("serve").stdout(Stdio::null()).stderr(log).spawn();
        let mut service = Self {
            server: server.with_context(|| format!("{} cannot be run", program.display()))?,
            program,
            scratch,
            base: String::new(),
            token: token.trim().to_owned(),
            api_key: api_key.trim().to_owned(),
            dispenses,
        };
        service.base = service.listening()?;
        Ok(service)
    }

    /// Its folder: its store, its log, and what belongs to the requests.
    pub(crate) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Waits until it listens; gives where.
    fn listening(&mut self) -> Result<String> {
        let until = Instant::now() + DEADLINE;
        loop {
            let log = self.log()?;
            if let Some((_, rest)) = log.split_once("listening on ") {
                return Ok(rest.chars().take_while(|char| !"\" \n".contains(*char)).collect());
            }
            let ended = self.server.try_wait()?;
            ensure!(ended.is_none() && Instant::now() < until, "the server does not come up:\n{log}");
            sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> Result<String> {
        fs::read_to_string(self.scratch.path().join("log")).context("reading the server's log")
    }

    /// Checks, as a step, that the server is healthy and has logged neither errors nor secrets.
    pub(crate) fn check(self, steps: &mut Steps, step: &str) -> Result<()> {
        let started = Instant::now();
        let faults = self.faults()?;
        for fault in &faults {
            say(fault);
        }
        steps.record(step, faults.is_empty(), started.elapsed());
        Ok(())
    }

    fn faults(mut self) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        if let Some(status) = self.server.try_wait()? {
            faults.push(format!("the server has ended: {status}"));
        } else if let Err(error) =
            finished(command(&self.program, self.scratch.path()).args(["health", "--url", &self.base]))
        {
            faults.push(format!("the server is not well: {error:#}"));
        }
        let log = self.log()?;
        faults.extend(
            log.lines().filter(|line| line.contains("\"ERROR\"")).map(|line| format!("logged: {line}")),
        );
        for (what, secret) in [
            ("the token", self.token.as_str()),
            ("the api key", &self.api_key),
            ("a patient id", PATIENT),
            ("a taxpayer number", DRFO),
        ] {
            if log.contains(secret) {
                faults.push(format!("the log tells {what}"));
            }
        }
        Ok(faults)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Builds the server as the tests have it, so that nothing is compiled twice where both run.
pub(crate) fn built(steps: &mut Steps) -> Result<PathBuf> {
    let status = test::build(steps).status().context("cargo cannot be run")?;
    ensure!(status.success(), "the server could not be built: see above");
    Ok(steps.path("target/debug/esoz-under-test"))
}

/// The data of the demo, with so many more dispenses in progress; and the ids of all that are.
fn data(steps: &Steps, more_dispenses: u64) -> Result<(String, Vec<String>)> {
    let mut data = fs::read_to_string(steps.path(DATA)).with_context(|| format!("reading {DATA}"))?;
    let line =
        data.lines().find(|line| line.contains(DISPENSE)).context("the data lacks its dispense")?.to_owned();
    let mut ids = vec![DISPENSE.to_owned()];
    for number in 1..=more_dispenses {
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        writeln!(data, "{}", line.replace(DISPENSE, &id))?;
        ids.push(id);
    }
    Ok((data, ids))
}

/// The program with a store of its own, and nothing of this machine's settings.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ESOZ_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null()).envs([
        ("ESOZ_HTTP__BIND", "127.0.0.1:0"),
        ("ESOZ_HTTP__WORKERS", "2"),
        ("ESOZ_SQLITE__PATH", "esoz.sqlite"),
        ("ESOZ_PATIENT__KEY", "a secret that only these runs know"),
        ("ESOZ_LOG__FORMAT", "json"),
        // The verifier is `unsigned`: Schemathesis has no signing key.
        ("ESOZ_SIGNATURE__VERIFIER", "unsigned"),
        ("ESOZ_SIGNATURE__ACCEPT_UNSIGNED", "true"),
        ("ESOZ_SIGNATURE__UNSIGNED_DRFO", DRFO),
        ("ESOZ_MEDIA__FOLDER", "media"),
    ]);
    command
}

/// Runs a command to its end; gives what it printed.
fn finished(command: &mut Command) -> Result<String> {
    let output = command.output().context("the server's program cannot be run")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "esoz ended with {}: {complaint}", output.status);
    String::from_utf8(output.stdout).context("esoz prints text")
}
