//! The servers under test: processes that are killed, asked to stop, and started again where they were.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use esoz_test_servers::ReservedPort;
use esoz_tests::process;
use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Ask, Connection, Sent};

/// How long a server may take to listen.
const UP_WITHIN: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(5);

/// Which servers are there to be asked.
#[derive(Debug, Clone, Default)]
pub struct Listening(Arc<RwLock<Vec<Option<SocketAddr>>>>);

impl Listening {
    /// Somewhere to ask: the first that is there from that number on.
    pub fn pick(&self, from: usize) -> Option<SocketAddr> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (0..all.len()).find_map(|step| all[(from + step) % all.len()])
    }

    /// From now on that server is to be asked there, or not at all.
    pub fn announce(&self, number: usize, address: Option<SocketAddr>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() <= number {
            all.resize(number + 1, None);
        }
        all[number] = address;
    }
}

/// One server, whether it runs or not.
struct Replica {
    port: ReservedPort,
    variables: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

/// All servers of a run. Killed when dropped.
pub struct Replicas {
    replicas: Vec<Replica>,
    listening: Listening,
}

impl Replicas {
    /// Starts servers side by side, with these variables and logs in that folder.
    ///
    /// # Errors
    /// When one does not come up.
    pub async fn start(count: usize, variables: &[(String, String)], folder: &Path) -> Result<Self> {
        let mut all = Self { replicas: Vec::new(), listening: Listening::default() };
        for number in 0..count {
            let port = ReservedPort::new()?;
            let mut variables = variables.to_vec();
            variables.push(("ESOZ_HTTP__BIND".to_owned(), port.address().to_string()));
            variables.push(("ESOZ_HTTP__WORKERS".to_owned(), "2".to_owned()));
            let log = folder.join(format!("server-{number}.log"));
            all.replicas.push(Replica { port, variables, log, child: None });
            all.launch(number).await?;
        }
        Ok(all)
    }

    /// Where they are to be asked.
    pub fn listening(&self) -> Listening {
        self.listening.clone()
    }

    /// How many there are, running or not.
    pub const fn len(&self) -> usize {
        self.replicas.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    /// The process id of one that runs.
    pub fn pid(&self, number: usize) -> Option<u32> {
        self.replicas[number].child.as_ref().map(Child::id)
    }

    /// Everything that one has logged, in all its runs.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn log(&self, number: usize) -> Result<String> {
        Ok(std::fs::read_to_string(&self.replicas[number].log)?)
    }

    /// Waits until one has logged that.
    ///
    /// # Errors
    /// When it does not.
    pub async fn logged(&self, number: usize, text: &str, within: Duration) -> Result<()> {
        let started = Instant::now();
        while !self.log(number)?.contains(text) {
            if started.elapsed() > within {
                bail!("server {number} has not logged `{text}` but: {}", self.log(number)?);
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        Ok(())
    }

    /// Starts one that does not run, where it was.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn launch(&mut self, number: usize) -> Result<()> {
        let replica = &mut self.replicas[number];
        let log = File::options().create(true).append(true).open(&replica.log)?;
        let mut command = process::command(&replica.variables, &["serve"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let child = replica.child.insert(child.context("starting a server")?);
        let address = replica.port.address();
        let started = Instant::now();
        // A connection alone tells nothing: the server listens before it has looked at its stores.
        while !answers(address).await {
            if let Some(status) = child.try_wait()? {
                replica.child = None;
                bail!("a server ended at its start ({status}); its log is {}", replica.log.display());
            }
            if started.elapsed() > UP_WITHIN {
                bail!("a server does not listen after {UP_WITHIN:?}; its log is {}", replica.log.display());
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        self.listening.announce(number, Some(address));
        Ok(())
    }

    /// Kills one at once. Clients learn of it by their connections.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self, number: usize) -> Result<()> {
        if let Some(mut child) = self.replicas[number].child.take() {
            child.kill()?;
            child.wait()?;
        }
        self.listening.announce(number, None);
        Ok(())
    }

    /// Asks one to stop, as an operator does; new clients go elsewhere from now on.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn terminate(&mut self, number: usize) -> Result<()> {
        self.listening.announce(number, None);
        let pid = self.pid(number).and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        kill_process(pid.context("no server to stop")?, Signal::TERM)?;
        Ok(())
    }

    /// Waits for the end of one; gives how it ended and after how long.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn wait(&mut self, number: usize, within: Duration) -> Result<(ExitStatus, Duration)> {
        let started = Instant::now();
        let child = self.replicas[number].child.as_mut().context("no server to wait for")?;
        loop {
            if let Some(status) = child.try_wait()? {
                self.replicas[number].child = None;
                return Ok((status, started.elapsed()));
            }
            if started.elapsed() > within {
                bail!("a server has not ended {within:?} after it was asked to");
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }
}

/// Whether there is a server at that address that answers.
async fn answers(address: SocketAddr) -> bool {
    let path = String::from("/health/live");
    let ask = Ask { method: Method::GET, path, headers: Vec::new(), body: String::new() };
    matches!(Connection::new(UP_WITHIN, false).ask(address, &ask).await, Sent::Answer(200, _))
}

impl Drop for Replicas {
    fn drop(&mut self) {
        for number in 0..self.replicas.len() {
            // It may have ended by itself.
            let _ = self.kill(number);
        }
    }
}
