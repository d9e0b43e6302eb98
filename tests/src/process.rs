//! The server and its command line as a process of its own: for what cannot be seen from within.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use esoz_testkit::wait::wait_for_blocking;

use crate::test_app::DEADLINE;

type Variables = [(String, String)];

/// The program under test, which Cargo puts beside the folder of the tests themselves, or beside a program that tests.
///
/// # Panics
/// When it is not there.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let beside = test.ancestors().skip(1).take(2).map(|folder| folder.join("esoz-under-test"));
    beside.into_iter().find(|program| program.exists()).expect("esoz-under-test is not built")
}

/// The program under test with those arguments and nothing in its settings but those variables.
///
/// # Panics
/// When it is not there.
pub fn command(variables: &Variables, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    // Nothing of the machine's own settings.
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("ESOZ_")))
    {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
    command
}

/// What a command did.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it logged and complained about.
    pub stderr: String,
}

impl Finished {
    fn new(output: Output) -> Self {
        let Output { status, stdout, stderr } = output;
        Self {
            status,
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Holds it against a success.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    pub fn assert_success(&self) -> &Self {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.stdout, self.stderr);
        self
    }

    /// Holds it against exit code 1 and a complaint.
    ///
    /// # Panics
    /// When it succeeded, or complained about something else.
    #[track_caller]
    pub fn assert_failure(&self, complaint: &str) -> &Self {
        assert_eq!(self.status.code(), Some(1), "{}\n{}", self.stdout, self.stderr);
        assert!(self.stderr.contains(complaint), "{}", self.stderr);
        self
    }
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be run.
pub fn esoz(variables: &Variables, arguments: &[&str]) -> Finished {
    Finished::new(command(variables, arguments).stdin(Stdio::null()).output().unwrap())
}

/// Runs a command to its end with that on its standard input.
///
/// # Panics
/// When it cannot be run.
pub fn esoz_with_input(variables: &Variables, arguments: &[&str], input: &str) -> Finished {
    esoz_with_pauses(variables, arguments, &[input], Duration::ZERO)
}

/// The same with parts of an input, and a pause before each but the first.
///
/// # Panics
/// When it cannot be run.
pub fn esoz_with_pauses(
    variables: &Variables,
    arguments: &[&str],
    parts: &[&str],
    pause: Duration,
) -> Finished {
    let mut command = command(variables, arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            std::thread::sleep(pause);
        }
        input.write_all(part.as_bytes()).unwrap();
        input.flush().unwrap();
    }
    drop(input);
    Finished::new(child.wait_with_output().unwrap())
}

/// A command that goes on until it is stopped.
pub struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    log_gate: Gate,
}

type Lines = Arc<Mutex<Vec<String>>>;

/// Whether nothing may be read, and a notification when that changes.
type Gate = Arc<(Mutex<bool>, Condvar)>;

fn set_closed(gate: &Gate, is_closed: bool) {
    *gate.0.lock().unwrap_or_else(PoisonError::into_inner) = is_closed;
    gate.1.notify_all();
}

/// A log that nobody reads, until this is dropped.
pub struct StalledLog(Gate);

impl Drop for StalledLog {
    fn drop(&mut self) {
        set_closed(&self.0, false);
    }
}

/// Reads lines, each when the gate is open.
fn collect(stream: impl std::io::Read + Send + 'static, gate: Gate) -> Lines {
    let lines = Lines::default();
    let into = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            into.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            let is_closed = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
            drop(gate.1.wait_while(is_closed, |is_closed| *is_closed));
        }
    });
    lines
}

impl Process {
    /// Starts a command.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(variables: &Variables, arguments: &[&str]) -> Self {
        Self::spawn(command(variables, arguments))
    }

    fn spawn(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log_gate = Arc::default();
        let stdout = collect(child.stdout.take().unwrap(), Arc::default());
        let stderr = collect(child.stderr.take().unwrap(), Arc::clone(&log_gate));
        Self { child, stdout, stderr, log_gate }
    }

    /// Stops reading its log, until what is returned is dropped.
    #[must_use]
    pub fn stall_log(&self) -> StalledLog {
        set_closed(&self.log_gate, true);
        StalledLog(self.log_gate.clone())
    }

    /// Starts to serve, on a free port; gives the server and where it is, `http://host:port`, or `https` with TLS.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn serve(variables: &Variables) -> (Self, String) {
        Self::serve_as(variables, |command| command)
    }

    /// Starts to serve by a command that is changed before.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn serve_as(variables: &Variables, change: impl FnOnce(Command) -> Command) -> (Self, String) {
        let mut variables = variables.to_vec();
        variables.push(("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned()));
        variables.push(("ESOZ_HTTP__WORKERS".to_owned(), "2".to_owned()));
        let server = Self::spawn(change(command(&variables, &["serve"])));
        let line = server.wait_for_log("listening on http");
        let (_, base) = line.split_once("listening on ").unwrap();
        let base = base.split('"').next().unwrap().trim().to_owned();
        (server, base)
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything printed until now.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything logged until now.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line of the log that contains that, and gives it.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for_log(&self, text: &str) -> String {
        wait_for_blocking(&format!("`{text}` in the log"), DEADLINE, || {
            let lines = self.stderr();
            lines.iter().find(|line| line.contains(text)).cloned().ok_or_else(|| lines.join("\n"))
        })
    }

    /// Waits until that many lines are printed, and gives them.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_for_lines(&self, lines: usize) -> Vec<String> {
        wait_for_blocking("lines on standard output", DEADLINE, || {
            let printed = self.stdout();
            if printed.len() >= lines { Ok(printed) } else { Err(self.stderr().join("\n")) }
        })
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to stop, as an operator does.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Asks it to reload.
    pub fn hang_up(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    /// Kills it at once, as `kill -9` does, and waits until it is gone.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for_blocking("the end of the process", DEADLINE, || self.child.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
