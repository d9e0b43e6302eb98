//! A server with its folder: what the three kinds have in common.

use std::{path::Path, time::Duration};

use super::{
    error::ServerError,
    home::{Home, note},
    process::{Launch, Process},
    scratch,
};

/// How long a server may take to be ready. Generous: it is hit by a broken server alone, and machines get busy.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(90);

/// A server's folder and, while it runs, its process. Dropping it kills the process and removes the folder.
#[derive(Debug)]
pub(super) struct Service {
    // Before the home, which ends the guard.
    process: Option<Process>,
    home: Home,
}

impl Service {
    /// A server whose files may be in memory.
    pub(super) fn new(server: &str) -> Result<Self, ServerError> {
        Ok(Self { process: None, home: Home::new(server, &scratch::folder())? })
    }

    /// A server whose files are on a disk.
    pub(super) fn on_disk(server: &str) -> Result<Self, ServerError> {
        Ok(Self { process: None, home: Home::new(server, &std::env::temp_dir())? })
    }

    pub(super) fn dir(&self) -> &Path {
        self.home.dir()
    }

    /// Runs a program of the server that ends by itself.
    pub(super) fn run_to_end(&mut self, launch: &Launch) -> Result<(), ServerError> {
        Process::start(launch, &mut self.home)?.wait_success(launch, &mut self.home, READY_WITHIN)
    }

    /// Starts the server and waits until `ready`, which is given the process id; kills it when that fails.
    pub(super) fn start<T>(
        &mut self,
        launch: &Launch,
        mut ready: impl FnMut(u32) -> Result<T, String>,
    ) -> Result<T, ServerError> {
        self.stop()?;
        let mut process = Process::start(launch, &mut self.home)?;
        let pid = process.pid();
        let outcome = process.wait_ready(launch, READY_WITHIN, || ready(pid));
        self.process = Some(process);
        if outcome.is_err() {
            self.stop()?;
        }
        outcome
    }

    /// Kills the server (SIGKILL) with its children and waits until they are gone; nothing when it does not run.
    pub(super) fn stop(&mut self) -> Result<(), ServerError> {
        match self.process.take() {
            Some(process) => process.kill(&mut self.home),
            None => Ok(()),
        }
    }

    pub(super) fn running(&self) -> Result<&Process, ServerError> {
        self.process.as_ref().ok_or_else(|| ServerError::new("the test server is stopped: restart it first"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            note(&error.to_string());
        }
    }
}
