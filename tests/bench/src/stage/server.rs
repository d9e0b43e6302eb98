//! The server, as a process that can be looked at.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long it may take to come up, and to end.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL_EVERY: Duration = Duration::from_millis(2);

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// A command of the program in an environment of these variables and nothing else of its own.
fn command(program: &Path, variables: &[(String, String)], arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("ESOZ_")) {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    command
}

/// Runs a command to its end, with that on its standard input, and gives what it printed.
pub(super) fn succeed(
    program: &Path,
    variables: &[(String, String)],
    arguments: &[&str],
    input: &str,
) -> Result<String> {
    let attempted = || format!("esoz {}", arguments.first().unwrap_or(&""));
    let mut command = command(program, variables, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(attempted)?;
    child
        .stdin
        .take()
        .context("a command without input")?
        .write_all(input.as_bytes())
        .with_context(attempted)?;
    let output = child.wait_with_output().with_context(attempted)?;
    ensure!(output.status.success(), "{} failed: {}", attempted(), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// What a command took.
pub struct Taken {
    /// How long it ran, from its start to its end.
    pub time: Duration,
    /// The most memory that it was seen with, in kibibytes.
    pub peak_kib: u64,
}

/// Runs a command to its end, and looks how long that takes and what memory it has.
pub(super) fn succeed_watched(
    program: &Path,
    variables: &[(String, String)],
    arguments: &[&str],
) -> Result<Taken> {
    let began = Instant::now();
    let mut child = command(program, variables, arguments).stdout(Stdio::null()).spawn()?;
    let mut peak_kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // It may have ended since.
        peak_kib = status_of(child.id(), "VmHWM:").unwrap_or(peak_kib);
        std::thread::sleep(POLL_EVERY);
    };
    let time = began.elapsed();
    ensure!(status.success(), "esoz {} failed: {status}", arguments.join(" "));
    Ok(Taken { time, peak_kib })
}

/// A number from the status of a process.
fn status_of(process: u32, field: &str) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status =
        std::fs::read_to_string(&path).with_context(|| format!("reading {path}; has the process ended?"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok());
    number.with_context(|| format!("the process has no {field}"))
}

impl Server {
    /// A port that is free.
    pub const ANY_PORT: &str = "127.0.0.1:0";

    /// Starts it to listen there, and waits until it does. Its log goes to a file in that folder, as it would at work.
    pub fn start(program: &Path, variables: &[(String, String)], folder: &Path, bind: &str) -> Result<Self> {
        let mut server = Self::spawn(program, variables, folder, bind)?;
        server.address = listening(&mut server.child, &server.log)?;
        Ok(server)
    }

    /// Starts it and waits for nothing; where it listens is known only if it is said here.
    pub fn spawn(program: &Path, variables: &[(String, String)], folder: &Path, bind: &str) -> Result<Self> {
        let address = bind.parse().with_context(|| format!("{bind} is no address"))?;
        let (file, log) = fresh_log(folder)?;
        let mut command = command(program, variables, &["serve"]);
        let settings = [("ESOZ_HTTP__BIND", bind), ("ESOZ_LOG__FORMAT", "json")];
        let child = command.envs(settings).stdout(Stdio::null()).stderr(file).spawn();
        Ok(Self { child: child.with_context(|| format!("starting {}", program.display()))?, address, log })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much processor time it has taken.
    pub fn processor_time(&self) -> Result<Duration> {
        esoz_test_servers::processor_time(self.child.id()).context("the process has no times")
    }

    /// How much memory it has now, in kibibytes.
    pub fn resident_kib(&self) -> Result<u64> {
        status_of(self.child.id(), "VmRSS:")
    }

    /// The most memory that it ever had, in kibibytes.
    pub fn peak_kib(&self) -> Result<u64> {
        status_of(self.child.id(), "VmHWM:")
    }

    /// Ends it as an operator does, and waits until it is gone.
    pub fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process")?;
        kill_process(pid, Signal::TERM).context("telling the server to stop")?;
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                bail!("the server did not stop");
            }
            std::thread::sleep(POLL_EVERY);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fresh_log(folder: &Path) -> Result<(File, PathBuf)> {
    let log = tempfile::Builder::new().prefix("log-").tempfile_in(folder).context("making a log")?;
    log.keep().context("keeping the log")
}

/// Waits for the line that says where it listens.
fn listening(child: &mut Child, log: &Path) -> Result<SocketAddr> {
    const SAID: &str = "listening on http://";
    let until = Instant::now() + PATIENCE;
    loop {
        let lines = std::fs::read_to_string(log).unwrap_or_default();
        if let Some((_, rest)) = lines.split_once(SAID) {
            let address: String =
                rest.chars().take_while(|letter| letter.is_ascii_digit() || ".:".contains(*letter)).collect();
            return address.parse().with_context(|| format!("the server listens on {address}"));
        }
        if child.try_wait()?.is_some() || Instant::now() > until {
            bail!("the server did not come up: {lines}");
        }
        std::thread::sleep(POLL_EVERY);
    }
}
