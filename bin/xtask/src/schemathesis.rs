//! `cargo xtask schemathesis`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::steps::{Steps, say};

/// What it is told about the service, and what it needs.
const FOLDER: &str = "tests/schemathesis";

/// The published description.
const DESCRIPTION: &str = "docs/openapi.json";

/// The data that the service has, with this dispense in progress, and as many like it as are needed.
const DATA: &str = "bin/esoz/src/cli/demo_data.ndjson";
const DISPENSE: &str = "29dc859e-37fa-481d-8526-e95ac76036dd";
const PATIENT: &str = "aff00bf6-68bf-4b49-b66d-f031d48922b3";
const PHARMACY: &str = "1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10";
const USER: &str = "5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01";

/// How long the server may take to come up.
const DEADLINE: Duration = Duration::from_secs(30);

/// Holds a running server against its description: so many requests that a machine made up, by somebody who may do everything and by
/// somebody who has no credentials. Then the server must be well, and have told nobody's secrets.
pub(crate) fn run(steps: &mut Steps, cases: u64, seed: u64, program: Option<PathBuf>) -> Result<()> {
    let python = packages(steps)?;
    let program = match program {
        Some(program) => {
            fs::canonicalize(&program).with_context(|| format!("finding {}", program.display()))?
        }
        None => built(steps)?,
    };
    say("\n▶ schemathesis: a server on SQLite");
    let service = Service::start(steps, program, cases)?;
    // Nine in ten get past the door.
    let anonymous = cases / 10;
    let told = [
        service.hold(steps, &python, "schemathesis.toml", cases - anonymous, seed)?,
        service.hold(steps, &python, "anonymous.toml", anonymous, seed)?,
    ];
    for (name, cases) in ["with credentials", "without"].into_iter().zip(told) {
        steps.note(format!("schemathesis, {name}: {cases} cases, seed {seed}"));
    }
    let started = Instant::now();
    let faults = service.look_after()?;
    for fault in &faults {
        say(fault);
    }
    steps.record("schemathesis: the server afterwards", faults.is_empty(), started.elapsed());
    Ok(())
}

/// Fetches the packages unless they are there; gives their folder.
fn packages(steps: &Steps) -> Result<PathBuf> {
    let wanted = steps.path(FOLDER).join("requirements.txt");
    let wanted_text = fs::read_to_string(&wanted).with_context(|| format!("reading {}", wanted.display()))?;
    let tools = steps.path("target/tools");
    let (folder, mark) = (tools.join("schemathesis"), "requirements.txt");
    if fs::read_to_string(folder.join(mark)).is_ok_and(|there| there == wanted_text) {
        return Ok(folder);
    }
    say("\n▶ schemathesis: fetching it by pip");
    fs::create_dir_all(&tools).with_context(|| format!("making {}", tools.display()))?;
    // Whole or not at all: it gets its name when it is complete.
    let scratch = tempfile::Builder::new().prefix(".schemathesis-").tempdir_in(&tools)?;
    let content = scratch.path().join("content");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"])
        .args(["--no-deps", "--require-hashes", "--only-binary=:all:", "--target"])
        .arg(&content)
        .arg("--requirement")
        .arg(&wanted);
    let status = pip.status().context("python3 cannot be run: install Python 3.11 or newer with pip")?;
    ensure!(
        status.success(),
        "pip could not fetch what {} names: see above (wanted are Python 3.11 to 3.14 with pip, on Linux on x86_64)",
        wanted.display()
    );
    fs::write(content.join(mark), wanted_text)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(&content, &folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Builds the server as the tests have it, so that nothing is compiled twice where both run.
fn built(steps: &mut Steps) -> Result<PathBuf> {
    let all = ["build", "--locked", "--workspace", "--all-features", "--bin", "esoz-under-test"];
    let status = steps.cargo(&all).status().context("cargo cannot be run")?;
    ensure!(status.success(), "the server could not be built: see above");
    Ok(steps.path("target/debug/esoz-under-test"))
}

/// A running server, and what it must not tell.
struct Service {
    program: PathBuf,
    scratch: TempDir,
    server: Child,
    base: String,
    token: String,
    api_key: String,
    description: PathBuf,
}

impl Service {
    fn start(steps: &Steps, program: PathBuf, cases: u64) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("esoz-schemathesis-").tempdir()?;
        let folder = scratch.path();
        let copied = ["schemathesis.toml", "anonymous.toml", "hooks.py"];
        for name in copied {
            fs::copy(steps.path(FOLDER).join(name), folder.join(name))
                .with_context(|| format!("copying {name}"))?;
        }
        write_data(steps, folder, cases)?;
        let esoz = |arguments: &[&str]| finished(command(&program, folder).args(arguments));
        esoz(&["migrate"])?;
        esoz(&["import", "data.ndjson"])?;
        let contracts = "private_contracts:write private_contracts:read";
        let scope = &format!("device_dispense:stop device_dispense:read event:read {contracts}");
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
            description: steps.path(DESCRIPTION),
        };
        service.base = service.listening()?;
        Ok(service)
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

    /// Runs Schemathesis with those settings; gives how many cases it made up.
    fn hold(&self, steps: &mut Steps, packages: &Path, settings: &str, cases: u64, seed: u64) -> Result<u64> {
        let folder = self.scratch.path();
        let report = folder.join(format!("{settings}.json"));
        let mut command = Command::new("python3");
        command
            .current_dir(folder)
            .env("PYTHONPATH", packages)
            .env("ESOZ_TOKEN", &self.token)
            .env("ESOZ_API_KEY", &self.api_key)
            .args(["-m", "schemathesis.cli", "--config-file", settings, "run"])
            .arg(&self.description)
            .args(["--url", &self.base, "--checks", "all", "--seed", &seed.to_string()])
            // Two operations take something that can be made up; of the others there is one case each.
            .args([
                "--max-examples",
                &cases.div_ceil(2).to_string(),
                "--report",
                "json",
                "--report-json-path",
            ])
            .arg(&report);
        say(&format!("\n▶ schemathesis with {settings}: {cases} cases at {}", self.base));
        let started = Instant::now();
        let status = command.status().context("python3 cannot be run")?;
        let told: Value =
            serde_json::from_slice(&fs::read(&report).context("schemathesis made no report: see above")?)?;
        let generated = told.pointer("/test_cases/generated").and_then(Value::as_u64).unwrap_or_default();
        let is_enough = generated >= cases;
        if !is_enough {
            say(&format!("only {generated} cases were made up"));
        }
        steps.record(
            &format!("schemathesis with {settings}"),
            status.success() && is_enough,
            started.elapsed(),
        );
        Ok(generated)
    }

    /// What is wrong with the server after all that.
    fn look_after(mut self) -> Result<Vec<String>> {
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
        for (what, secret) in
            [("the token", self.token.as_str()), ("the api key", &self.api_key), ("a patient id", PATIENT)]
        {
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

/// The data of the demo, and dispenses in progress: enough that some are left at the end.
fn write_data(steps: &Steps, folder: &Path, cases: u64) -> Result<()> {
    let mut data = fs::read_to_string(steps.path(DATA)).with_context(|| format!("reading {DATA}"))?;
    let line =
        data.lines().find(|line| line.contains(DISPENSE)).context("the data lacks its dispense")?.to_owned();
    let mut names = format!("\"{DISPENSE}\"\n");
    for number in 1..=cases.max(1_000) / 2 {
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        writeln!(data, "{}", line.replace(DISPENSE, &id))?;
        writeln!(names, "\"{id}\"")?;
    }
    fs::write(folder.join("data.ndjson"), data)?;
    fs::write(folder.join("dispenses.txt"), names).context("writing the names of dispenses")
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
