//! `esoz demo`: a server with invented data, and what to try on it.

mod data;
mod introduction;
mod samples;

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use esoz_kernel::Clock as _;
use esoz_kernel::system::SystemClock;
use tokio::signal::unix::SignalKind;

use super::args::DemoArgs;
use super::credentials::generate_secret;
use super::sign::{AUTHORITY, signer};
use super::{any_signal, loopback, print};
use crate::compose::Parts;
use crate::config::Config;
use crate::server::EsozServer;
use data::{DRFO, load};
use introduction::{Files, introduction};
use samples::{Credentials, samples};

/// The file of the store in the folder of a demo.
const STORE: &str = "esoz.sqlite";

/// The file with the secret of the patient pseudonyms in the folder of a demo: the first that a demo creates.
const PATIENT_KEY: &str = "patient.key";

/// How the name of [`PATIENT_KEY`] starts while it is being written. A demo that is killed then leaves such a file.
const UNFINISHED_KEY: &str = ".patient.key-";

/// How many ports after the configured one are tried.
const PORTS: u16 = 100;

/// Refuses a folder with the files of something else, which would come to lie among a demo's keys.
fn require_demo_folder(folder: &Path) -> Result<()> {
    let is_demo = [STORE, PATIENT_KEY].iter().any(|file| folder.join(file).exists());
    let is_unfinished = |file: &OsStr| file.as_encoded_bytes().starts_with(UNFINISHED_KEY.as_bytes());
    let mut files =
        fs::read_dir(folder).with_context(|| format!("reading the folder {}", folder.display()))?;
    anyhow::ensure!(
        is_demo || files.all(|file| file.is_ok_and(|file| is_unfinished(&file.file_name()))),
        "the folder {} has other files than a demo's: name a new or an empty one",
        folder.display()
    );
    Ok(())
}

/// Runs a server with an embedded store and sample data until SIGTERM or SIGINT, or until its terminal is closed.
pub(crate) async fn run(mut config: Config, args: DemoArgs) -> Result<()> {
    // Before the folder is made: a signal during the start would leave it behind.
    let stop = any_signal(&[SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()])?;
    let (folder, _temporary) = if let Some(folder) = args.folder {
        fs::create_dir_all(&folder).with_context(|| format!("creating the folder {}", folder.display()))?;
        require_demo_folder(&folder)?;
        (folder, None)
    } else {
        let temporary = tempfile::Builder::new().prefix("esoz-demo-").tempdir()?;
        (temporary.path().to_owned(), Some(temporary))
    };
    let store = folder.join(STORE);
    let patient_key = patient_key(&folder)?;
    config.use_embedded_store(&store, &patient_key);
    let keys = folder.join("keys");
    signer(&keys, Some(DRFO), SystemClock.now())?;
    config.verify_here(&keys.join(AUTHORITY), &folder.join("signed"));
    config.has_invented_data = true;
    config.sections.http.inspector = true;
    let mut wanted = config.bind()?.address()?;
    wanted.set_port(args.port.unwrap_or(wanted.port()));
    let listener = listen(wanted)?;
    let port = listener.local_addr().context("asking for the port")?.port();
    if ![0, port].contains(&wanted.port()) {
        print(&format!("Port {} is in use. This demo has port {port}.", wanted.port()))?;
    }
    let mut parts = Parts::configured(&config).await?;
    let fresh = load(&config, &parts.stores).await?;
    let credentials = Credentials::issue(&parts.stores).await?;
    parts.samples = Some(samples(&credentials, &fresh));
    let server = EsozServer::start(&config, parts, listener)?;
    let base = format!("{}://{}", server.scheme(), loopback(server.address()));
    let files = Files { store: &store, keys: &keys, patient_key: &patient_key };
    print(&introduction(&base, &credentials, files, &fresh)?)?;
    server.run_until(stop).await
}

/// The path of [`PATIENT_KEY`]: created beside a new store, which cannot be used without it. It appears whole or not at
/// all, readable by its owner alone.
fn patient_key(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(PATIENT_KEY);
    let write = || {
        let mut file = tempfile::Builder::new().prefix(UNFINISHED_KEY).tempfile_in(folder)?;
        file.write_all(generate_secret()?.expose().as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Err(refused) if refused.error.kind() != ErrorKind::AlreadyExists => Err(refused.error.into()),
            _ => anyhow::Ok(()),
        }
    };
    if !path.exists() {
        write().with_context(|| format!("creating {}", path.display()))?;
    }
    Ok(path)
}

/// Listens on the configured port or the next free one.
fn listen(configured: SocketAddr) -> Result<TcpListener> {
    let first = configured.port();
    for port in first..=first.saturating_add(PORTS) {
        match TcpListener::bind((configured.ip(), port)) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            bound => return bound.with_context(|| format!("listening on port {port}")),
        }
    }
    bail!("the ports from {first} on are in use, {PORTS} and more; set another with ESOZ_HTTP__BIND")
}
