//! One run of a server program: started under guard, paused, resumed, killed with its descendants.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::Write,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    error::ServerError,
    find::command_line,
    home::Home,
    proc_table::{children, is_running},
};

/// How long a killed process may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(20);
const POLL_EVERY: Duration = Duration::from_millis(10);

/// Another user to run as, for servers that refuse to run as root.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What to run and as whom.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) user: Option<User>,
    /// Added to the environment.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Where its output goes; appended to.
    pub(super) log: PathBuf,
}

impl Launch {
    /// The command line, for errors.
    pub(super) fn line(&self) -> String {
        command_line(self.program.as_os_str(), self.args.iter().map(OsString::as_os_str))
    }

    /// An error about this run, with its command line and log.
    pub(super) fn error(&self, what: &str) -> ServerError {
        ServerError::new(format!("{what}: `{}`", self.line())).with_log(&self.log)
    }
}

/// A server program that was started.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
}

impl Process {
    /// Starts it in the home's folder. It waits for a word from us before it becomes the program, and the guard knows
    /// of it by then: whenever we are killed, either it never starts or the guard kills it.
    pub(super) fn start(launch: &Launch, home: &mut Home) -> Result<Self, ServerError> {
        let log = OpenOptions::new().create(true).append(true).open(&launch.log);
        let log = log
            .map_err(|error| ServerError::io(format_args!("cannot open {}", launch.log.display()), &error))?;
        let errors = log.try_clone().map_err(|error| ServerError::io("cannot share the log", &error))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"read -r go || exit 1; exec "$@" </dev/null"#, "esoz-test-server"])
            .arg(&launch.program)
            .args(&launch.args)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(home.dir())
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        if let Some(user) = launch.user {
            command.uid(user.uid).gid(user.gid);
        }
        let mut child = command
            .spawn()
            .map_err(|error| ServerError::io(format_args!("cannot run `{}`", launch.line()), &error))?;
        let go = child.stdin.take();
        let process = Self { child };
        home.watch(process.pid())?;
        go.ok_or_else(|| ServerError::new("the server has no input pipe"))?
            .write_all(b"go\n")
            .map_err(|error| ServerError::io(format_args!("cannot start `{}`", launch.line()), &error))?;
        Ok(process)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub(super) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until `ready` gives something. An error when the process ends first or the time is over.
    pub(super) fn wait_ready<T>(
        &mut self,
        launch: &Launch,
        within: Duration,
        mut ready: impl FnMut() -> Result<T, String>,
    ) -> Result<T, ServerError> {
        let started = Instant::now();
        loop {
            let status = match ready() {
                Ok(value) => return Ok(value),
                Err(status) => status,
            };
            if let Some(exit) = self.exit_status() {
                return Err(launch.error(&format!("the server ended at once ({exit})")));
            }
            if started.elapsed() > within {
                let what = format!("the server was not ready within {} s ({status})", within.as_secs());
                return Err(launch.error(&what));
            }
            std::thread::sleep(POLL_EVERY);
        }
    }

    /// Waits for a program that ends by itself; anything but success is an error.
    pub(super) fn wait_success(
        mut self,
        launch: &Launch,
        home: &mut Home,
        within: Duration,
    ) -> Result<(), ServerError> {
        let started = Instant::now();
        while started.elapsed() < within {
            if let Some(exit) = self.exit_status() {
                home.forget()?;
                return if exit.success() { Ok(()) } else { Err(launch.error(&format!("failed ({exit})"))) };
            }
            std::thread::sleep(POLL_EVERY);
        }
        self.kill(home)?;
        Err(launch.error(&format!("not done within {} s", within.as_secs())))
    }

    /// Stops it and its children where they stand, as a machine that hangs: connections stay open, nothing answers.
    pub(super) fn pause(&self) -> Result<(), ServerError> {
        // The parent first: then no child appears while they are listed.
        signal(self.pid(), Signal::STOP)?;
        for child in children(self.pid()) {
            signal(child, Signal::STOP)?;
        }
        Ok(())
    }

    /// Lets it and its children go on.
    pub(super) fn resume(&self) -> Result<(), ServerError> {
        for child in children(self.pid()) {
            signal(child, Signal::CONT)?;
        }
        signal(self.pid(), Signal::CONT)
    }

    /// Kills it and all its descendants (SIGKILL) and waits until they are gone.
    pub(super) fn kill(mut self, home: &mut Home) -> Result<(), ServerError> {
        if self.exit_status().is_some() {
            return home.forget();
        }
        let pid = self.pid();
        let mut all = Vec::new();
        let mut generation = vec![pid];
        while !generation.is_empty() {
            // Parents first: then no child appears while they are listed.
            for parent in &generation {
                signal(*parent, Signal::STOP)?;
            }
            let next = generation.iter().flat_map(|parent| children(*parent)).collect();
            all.append(&mut generation);
            generation = next;
        }
        for each in &all {
            signal(*each, Signal::KILL)?;
        }
        // Before it is collected: until then nobody else can have its number.
        home.forget()?;
        self.child
            .wait()
            .map_err(|error| ServerError::io(format_args!("cannot collect process {pid}"), &error))?;
        let started = Instant::now();
        while all.iter().any(|each| is_running(*each)) {
            if started.elapsed() > GONE_WITHIN {
                return Err(ServerError::new(format!("killed processes are still there: {all:?}")));
            }
            std::thread::sleep(POLL_EVERY);
        }
        Ok(())
    }
}

/// Sends a signal; that the process has ended meanwhile is no error.
fn signal(pid: u32, signal: Signal) -> Result<(), ServerError> {
    let Some(target) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Err(ServerError::new(format!("no process has the number {pid}")));
    };
    match kill_process(target, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => {
            Err(ServerError::io(format_args!("cannot send {signal:?} to process {pid}"), &error.into()))
        }
    }
}
