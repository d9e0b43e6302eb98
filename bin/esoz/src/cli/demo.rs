use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use esoz_kernel::system::RandomIds;
use esoz_kernel::{ClientId, IdGenerator as _, UserId, Uuid};
use jiff::SignedDuration;
use tempfile::TempDir;

use super::args::DemoArgs;
use super::credentials::{TokenOrder, fresh_secret, issue_api_key, issue_token};
use super::import::importer;
use super::{local, print};
use crate::compose::Parts;
use crate::compose::stores::Stores;
use crate::config::Config;
use crate::server::EsozServer;

/// A small realistic data set, as `esoz import` takes it.
const DATA: &str = include_str!("demo_data.ndjson");

/// Things of the data set that the requests name.
mod named {
    pub(super) const PHARMACY: &str = "1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10";
    pub(super) const HEALTH_SERVICE: &str = "3b8e4c90-5d79-4f2d-8c4e-7e7c6dae3f32";
    pub(super) const USER: &str = "5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01";
    pub(super) const PATIENT: &str = "aff00bf6-68bf-4b49-b66d-f031d48922b3";
    pub(super) const DISPENSE: &str = "29dc859e-37fa-481d-8526-e95ac76036dd";
    pub(super) const CONTRACT_DIVISION: &str = "07ba637c-15d8-46fb-8304-c738a54e14bb";
    pub(super) const NEW_DIVISION: &str = "b2651e27-c083-41a6-9ebf-72e35091cf66";
    pub(super) const NEW_CONTRACT: &str = "e598415a-f3b6-44d9-81e2-a516832cf299";
}

/// How long the printed tokens are valid.
const TTL: SignedDuration = SignedDuration::from_hours(24);

/// How many ports are tried before giving up.
const PORTS: u16 = 100;

pub(crate) async fn run(mut config: Config, args: DemoArgs) -> Result<ExitCode> {
    let folder = Folder::new(args.folder)?;
    let store = folder.path().join("esoz.sqlite");
    config.use_embedded_store(&store, &patient_key(folder.path())?);
    let listener = listen(config.bind()?)?;
    let parts = Parts::configured(&config).await?;
    let dispense = load(&config, &parts.stores).await?;
    let requests = Requests::issue(&parts.stores, &dispense).await?;
    let server = EsozServer::start(&config, parts, listener)?;
    print(&requests.introduction(&server, &store))?;
    server.run_until_signal().await?;
    Ok(ExitCode::SUCCESS)
}

/// Where the store is: a folder that stays, or one that is gone with the demo.
enum Folder {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn new(given: Option<PathBuf>) -> Result<Self> {
        match given {
            Some(path) => {
                std::fs::create_dir_all(&path)
                    .with_context(|| format!("making the folder {}", path.display()))?;
                Ok(Self::Given(path))
            }
            None => Ok(Self::Temporary(tempfile::Builder::new().prefix("esoz-demo-").tempdir()?)),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// The secret of the pseudonyms: made once, then kept beside the store, which is of no use without it.
fn patient_key(folder: &Path) -> Result<PathBuf> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let path = folder.join("patient.key");
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    match file {
        Ok(mut file) => {
            file.write_all(fresh_secret()?.expose().as_bytes())
                .context("writing the key of the pseudonyms")?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("making {}", path.display())),
    }
    Ok(path)
}

/// Listens on that port or the next one that is free.
fn listen(wanted: SocketAddr) -> Result<TcpListener> {
    for port in wanted.port()..=wanted.port().saturating_add(PORTS) {
        match TcpListener::bind((wanted.ip(), port)) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            bound => return bound.with_context(|| format!("listening on port {port}")),
        }
    }
    bail!("none of {PORTS} ports from {} on is free", wanted.port())
}

/// Loads the data set, and a dispense in progress that no earlier start of the demo has stopped; gives the id of that one.
async fn load(config: &Config, stores: &Stores) -> Result<String> {
    let fresh = RandomIds.fresh().to_string();
    let dispense = DATA
        .lines()
        .find(|line| line.contains(named::DISPENSE))
        .context("the data set lacks its dispense")?;
    let data = format!("{DATA}{}\n", dispense.replace(named::DISPENSE, &fresh));
    let report =
        importer(config, stores)?.run(data.as_bytes(), |_| {}).await.context("loading the data set")?;
    match report.listed_bad_lines.first() {
        None => Ok(fresh),
        Some(bad) => bail!("the data set was not loaded: line {}: {}", bad.line, bad.reason),
    }
}

/// What the printed requests hold.
struct Requests<'a> {
    dispense: &'a str,
    stop_token: esoz_auth::Secret,
    update_token: esoz_auth::Secret,
    api_key: esoz_auth::Secret,
}

impl<'a> Requests<'a> {
    async fn issue(stores: &Stores, dispense: &'a str) -> Result<Self> {
        let user = UserId::new(uuid(named::USER)?);
        let (pharmacy, health_service) = (client(named::PHARMACY)?, client(named::HEALTH_SERVICE)?);
        let order = |client, scope| TokenOrder { user, client, scope, ttl: TTL };
        Ok(Self {
            dispense,
            stop_token: issue_token(stores, order(pharmacy, "device_dispense:stop")).await?,
            update_token: issue_token(stores, order(health_service, "private_contracts:write")).await?,
            api_key: issue_api_key(stores, health_service, "private_contracts:write").await?,
        })
    }

    /// What is printed when the server is ready.
    fn introduction(&self, server: &EsozServer, store: &Path) -> String {
        let base = format!("{}://{}", server.scheme(), local(server.address()));
        let (patient, record) = (named::PATIENT, named::CONTRACT_DIVISION);
        let body =
            serde_json::json!({"division_id": named::NEW_DIVISION, "contract_id": named::NEW_CONTRACT});
        let (stop_token, update_token) = (self.stop_token.expose(), self.update_token.expose());
        format!(
            r"esoz is listening on {base}; Ctrl-C stops it.

Stop a device dispense. A second time the answer is 409, since it is stopped then:

curl -sS -X PATCH '{base}/api/patients/{patient}/device_dispenses/{dispense}/actions/stop' \
  -H 'Authorization: Bearer {stop_token}'

Update a contract division:

curl -sS -X PUT '{base}/api/admin/contract_divisions/{record}' \
  -H 'Authorization: Bearer {update_token}' \
  -H 'api-key: {api_key}' \
  -H 'Content-Type: application/json' \
  -d '{body}'

Where to look next, from another terminal:
- every request, to read and to try in a browser: {base}/docs
- the events that went out: ESOZ_SQLITE__PATH='{store}' cargo run -q -- events
- everything that is stored: the SQLite file {store}
- a token of your own: ESOZ_SQLITE__PATH='{store}' cargo run -q -- token issue --user {user} --client {pharmacy} --scope 'device_dispense:stop'
- every setting: docs/esoz.example.toml",
            dispense = self.dispense,
            api_key = self.api_key.expose(),
            store = store.display(),
            user = named::USER,
            pharmacy = named::PHARMACY,
        )
    }
}

fn uuid(text: &str) -> Result<Uuid> {
    text.parse().context("an id of the data set")
}

fn client(text: &str) -> Result<ClientId> {
    Ok(ClientId::new(uuid(text)?))
}
