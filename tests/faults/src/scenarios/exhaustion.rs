//! Pools that are too small, a disk that is full, a clock that jumps.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use esoz::{Config, EsozServer, Parts};
use esoz_kernel::Clock as _;
use esoz_kernel::system::SystemClock;
use esoz_testkit::clock::ManualClock;
use esoz_tests::Kind;
use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::{Run, millis};
use crate::fixtures;
use crate::report::Report;
use crate::trial::{Setup, Trial};

const CHANGES_BETWEEN: usize = 30;
const RECOVERED_WITHIN: Duration = Duration::from_mins(1);
/// Two seconds are promised; the machine is busy.
const FULL_IS_TOLD_WITHIN: Duration = Duration::from_secs(10);
/// The size of the disk that is filled, in megabytes: what is loaded and a little more.
const DISK_MB: usize = 16;

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    Ok(vec![tiny_pools(run).await?, full_disk(run).await?, jumping_clock(run).await?])
}

/// One connection to each database for many clients, and nobody waits long for it.
async fn tiny_pools(run: &mut Run) -> Result<Report> {
    let mut rng = run.rng(60);
    let stores = run.stores(Kind::Servers).await?;
    let mut setup = Setup::new("one connection to each database for 64 clients", rng.u64(..), 2)
        .variable("ESOZ_POSTGRES__MAX_CONNECTIONS", "1")
        .variable("ESOZ_POSTGRES__POOL_WAIT_TIMEOUT_MS", "60")
        .variable("ESOZ_MONGODB__MAX_CONNECTIONS", "1");
    setup.pace.clients = 64;
    let mut trial = Trial::begin(setup, stores).await?;
    tokio::time::sleep(Duration::from_secs(run.of(4, 30))).await;
    let refused = trial.refused_with(503);
    ensure!(refused > 0, "nobody was ever without a connection");
    trial.notes.push(format!("{refused} requests answered 503"));
    trial.end().await
}

/// The SQLite file is on a disk of its own that becomes full and is not any more, again and again.
async fn full_disk(run: &mut Run) -> Result<Report> {
    let mut rng = run.rng(61);
    let stores = run.stores(Kind::Sqlite).await?;
    let (_, path) =
        stores.variables().iter().find(|(name, _)| name == "ESOZ_SQLITE__PATH").context("a path")?;
    let folder = Path::new(path).parent().context("a folder")?.to_owned();
    let disk = Disk::mount(&folder)?;
    let setup = Setup::new("full disk under the SQLite file", rng.u64(..), 1);
    let mut trial = Trial::begin(setup, stores).await?;
    let times = run.of(2, 8);
    let mut acknowledged = 0;
    for _ in 0..times {
        acknowledged = trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, RECOVERED_WITHIN).await?;
        disk.fill();
        // The health check says so, whatever becomes of requests.
        trial.replicas.logged(0, "its disk is full", FULL_IS_TOLD_WITHIN).await?;
        tokio::time::sleep(millis(&mut rng, 500, 1_500)).await;
        disk.free()?;
    }
    trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, RECOVERED_WITHIN).await?;
    let refused = trial.refused_with(503);
    ensure!(refused > 0, "the disk was never full");
    trial.notes.push(format!("a tmpfs of {DISK_MB} MB full {times} times, {refused} requests answered 503"));
    let report = trial.end().await;
    drop(disk);
    report
}

/// A small disk in memory, mounted over a folder; unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Result<Self> {
        let size = format!("size={DISK_MB}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output()?;
        let told = String::from_utf8_lossy(&mount.stderr);
        ensure!(mount.status.success(), "a disk to fill needs the right to mount one: {told}");
        Ok(Self(folder.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Writes until nothing more goes in.
    fn fill(&self) {
        // That it fails in the end is what it is for.
        drop(std::fs::write(self.filler(), vec![0_u8; DISK_MB << 20]));
    }

    fn free(&self) -> Result<()> {
        std::fs::remove_file(self.filler()).context("making room on the disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that is still ending may have files open there.
        drop(Command::new("umount").arg("--lazy").arg(&self.0).output());
    }
}

/// The clock of a server in this process goes on with the time, hours before or behind it.
async fn jumping_clock(run: &mut Run) -> Result<Report> {
    let mut rng = run.rng(62);
    let stores = run.stores(Kind::Servers).await?;
    let setup = Setup::new("clock that jumps by up to two hours", rng.u64(..), 0);
    let mut variables = fixtures::variables(&stores);
    variables.push(("ESOZ_HTTP__WORKERS".to_owned(), "2".to_owned()));
    let environment = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let config = Config::from_sources(None, environment)?;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let parts = Parts { clock: clock.clone(), ..Parts::configured(&config).await? };
    let server = EsozServer::start(&config, parts, TcpListener::bind("127.0.0.1:0")?)?;
    let address = server.address();
    let (stop, told_to_stop) = oneshot::channel::<()>();
    let server = tokio::spawn(server.run_until(async move {
        // Whoever would tell it is gone: that is telling, too.
        let _ = told_to_stop.await;
    }));
    let mut trial = Trial::without_load(setup, stores).await?;
    trial.replicas.listening().announce(0, Some(address));
    trial.work();
    let jumps = run.of(8, 60);
    for _ in 0..jumps {
        let off = SignedDuration::from_secs(rng.i64(-7_200..7_200));
        for _ in 0..10 {
            clock.set(SystemClock.now().saturating_add(off));
            tokio::time::sleep(millis(&mut rng, 10, 60)).await;
        }
    }
    trial.notes.push(format!("{jumps} jumps"));
    trial.pause().await;
    // From here on it goes right: the last dispenses become overdue seconds after the load, which may be later than now.
    let right = async {
        loop {
            clock.set(SystemClock.now());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        expired = trial.wait_for_expiry() => expired?,
        () = right => {}
    }
    trial.wait_for_delivery().await?;
    trial.wait_for_event_log().await?;
    drop(stop);
    server.await??;
    let mut report = trial.end().await?;
    report.must_answer_all();
    Ok(report)
}
