use std::fs;
use std::io::{Cursor, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use esoz_auth::Scope;
use esoz_import::ImportLimits;
use esoz_kernel::system::{RandomIds, SystemClock};
use esoz_kernel::{ClientId, Clock as _, IdGenerator as _, UserId};
use jiff::SignedDuration;
use serde_json::json;
use tokio::signal::unix::SignalKind;
use uuid::{Uuid, uuid};

use super::args::DemoArgs;
use super::credentials::{generate_secret, issue_api_key, issue_token};
use super::import::importer;
use super::sign::{AUTHORITY, signer};
use super::{any_signal, loopback, print};
use crate::compose::Parts;
use crate::compose::stores::Stores;
use crate::config::Config;
use crate::features::Feature;
use crate::server::EsozServer;

/// The sample data, in the format of `esoz import`.
const DATA: &str = include_str!("demo_data.ndjson");

// Records of the sample data.
const PHARMACY: Uuid = uuid!("1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10");
const HEALTH_SERVICE: Uuid = uuid!("3b8e4c90-5d79-4f2d-8c4e-7e7c6dae3f32");
const USER: Uuid = uuid!("5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01");
const PATIENT: Uuid = uuid!("aff00bf6-68bf-4b49-b66d-f031d48922b3");
const DISPENSE: Uuid = uuid!("29dc859e-37fa-481d-8526-e95ac76036dd");
const CONTRACT_DIVISION: Uuid = uuid!("07ba637c-15d8-46fb-8304-c738a54e14bb");
const NEW_DIVISION: Uuid = uuid!("b2651e27-c083-41a6-9ebf-72e35091cf66");
const PROGRAM: Uuid = uuid!("9d43fc05-ae61-4f84-9c9d-50c13e7fad44");
const EMPLOYEE: Uuid = uuid!("7b21dae3-8c4f-4d62-9a7b-3eaf1c5d8b22");
const DIVISION: Uuid = uuid!("8c32ebf4-9d50-4e73-8b8c-4fb02d6e9c33");
const DEVICE: Uuid = uuid!("bf65be27-c083-4aa6-be1f-72e35091cf66");
/// The taxpayer number of the user.
const DRFO: &str = "3126509816";
const NEW_CONTRACT: Uuid = uuid!("e598415a-f3b6-44d9-81e2-a516832cf299");

/// The lifetime of the printed tokens.
const TTL: SignedDuration = SignedDuration::from_hours(24);

/// How many ports after the configured one are tried.
const PORTS: u16 = 100;

/// Runs a server with an embedded store and sample data until SIGTERM or SIGINT, or until its terminal is closed.
pub(crate) async fn run(mut config: Config, args: DemoArgs) -> Result<()> {
    let (folder, _temporary) = if let Some(folder) = args.folder {
        fs::create_dir_all(&folder).with_context(|| format!("creating the folder {}", folder.display()))?;
        (folder, None)
    } else {
        let temporary = tempfile::Builder::new().prefix("esoz-demo-").tempdir()?;
        (temporary.path().to_owned(), Some(temporary))
    };
    let store = folder.join("esoz.sqlite");
    let patient_key = patient_key(&folder)?;
    config.use_embedded_store(&store, &patient_key);
    let keys = folder.join("keys");
    signer(&keys, Some(DRFO), SystemClock.now())?;
    config.verify_here(&keys.join(AUTHORITY), &folder.join("signed"));
    config.has_invented_data = true;
    let wanted = config.bind()?.address()?;
    let listener = listen(wanted)?;
    let port = listener.local_addr().context("asking for the port")?.port();
    if ![0, port].contains(&wanted.port()) {
        print(&format!("Port {} is in use. This demo has port {port}.", wanted.port()))?;
    }
    let parts = Parts::configured(&config).await?;
    let stores = parts.stores.clone();
    let fresh = load(&config, &stores).await?;
    let server = EsozServer::start(&config, parts, listener)?;
    print(&introduction(&server, &stores, [&store, &keys, &patient_key], &fresh).await?)?;
    let stop = any_signal(&[SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()])?;
    server.run_until(stop).await
}

/// The file with the secret of the patient pseudonyms: created beside a new store, which cannot be used without it. It appears whole or not at
/// all, readable by its owner alone.
fn patient_key(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("patient.key");
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
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

/// Records that no earlier demo on this store has used.
struct Fresh {
    /// Dispenses in progress.
    dispenses: [Uuid; 2],
    /// Device requests for two pieces each.
    requests: [Uuid; 2],
}

/// Imports the sample data, and fresh records.
async fn load(config: &Config, stores: &Stores) -> Result<Fresh> {
    let ids = || [RandomIds.fresh(), RandomIds.fresh()];
    let fresh = Fresh { dispenses: ids(), requests: ids() };
    let sample = DISPENSE.to_string();
    let line = DATA.lines().find(|line| line.contains(&sample)).context("the sample data lack a dispense")?;
    let dispenses = fresh.dispenses.map(|id| line.replace(&sample, &id.to_string()));
    let requests = fresh.requests.map(|id| {
        let data = json!({
            "id": id, "patient_id": PATIENT, "status": "active", "intent": "order", "program": PROGRAM, "code": "30221",
            "quantity": {"value": 2, "code": "piece"}, "dispense_valid_to": "2099-12-31",
        });
        json!({"kind": "device_request", "data": data}).to_string()
    });
    let data = format!("{DATA}{}\n{}\n", requests.join("\n"), dispenses.join("\n"));
    let report = importer(config, stores, ImportLimits::default())?.run(Cursor::new(data), |_| {}).await;
    match report.context("importing the sample data")?.listed_bad_lines.first() {
        None => Ok(fresh),
        Some(bad) => bail!("the sample data were not imported: line {}: {}", bad.line, bad.reason),
    }
}

/// Issues credentials, and writes requests to paste.
async fn introduction(
    server: &EsozServer,
    stores: &Stores,
    [store, keys, patient_key]: [&Path; 3],
    fresh: &Fresh,
) -> Result<String> {
    let Fresh { dispenses: [dispense, of_story], requests: [of_request, of_other] } = fresh;
    let [recorded, other] = [RandomIds.fresh(), RandomIds.fresh()];
    let program = std::env::current_exe().context("finding this program")?;
    let (user, pharmacy) = (UserId::new(USER), ClientId::new(PHARMACY));
    let health_service = ClientId::new(HEALTH_SERVICE);
    let stop_token = issue_token(
        stores,
        user,
        pharmacy,
        Scope::parse(
            "device_dispense:stop device_dispense:read event:read device_dispense:write device_dispense:complete \
             device_dispense:mark_in_error",
        ),
        TTL,
    )
    .await?;
    let contracts = Scope::parse("private_contracts:write private_contracts:read");
    let update_token = issue_token(stores, user, health_service, contracts.clone(), TTL).await?;
    let api_key = issue_api_key(stores, health_service, contracts).await?;
    let body = json!({"division_id": NEW_DIVISION, "contract_id": NEW_CONTRACT});
    let base = format!("{}://{}", server.scheme(), loopback(server.address()));
    let reading = if Feature::Swagger.is_built() {
        format!("to read and to try in a browser: {base}/docs")
    } else {
        format!("as OpenAPI describes it: {base}/openapi.json")
    };
    Ok(format!(
        r#"esoz is listening on {base}; Ctrl-C stops it.

Stop a device dispense. A second time the answer is 409, since it is stopped then:

curl -sS -X PATCH '{base}/api/patients/{PATIENT}/device_dispenses/{dispense}/actions/stop' \
  -H 'Authorization: Bearer {stop_token}'

Update a contract division:

curl -sS -X PUT '{base}/api/admin/contract_divisions/{CONTRACT_DIVISION}' \
  -H 'Authorization: Bearer {update_token}' \
  -H 'api-key: {api_key}' \
  -H 'Content-Type: application/json' \
  -d '{body}'

A dispense from its list to its event, to paste as a whole: list what is in progress, read one, stop it, see the event.

TOKEN='Authorization: Bearer {stop_token}'
DISPENSE='{base}/api/patients/{PATIENT}/device_dispenses/{of_story}'
curl -sS -w '\n' '{base}/api/device_dispenses?status=in_progress' -H "$TOKEN"
curl -sS -w '\n' "$DISPENSE" -H "$TOKEN"
curl -sS -w '\n' -X PATCH "$DISPENSE/actions/stop" -H "$TOKEN"
until curl -sS -w '\n' '{base}/api/events?entity_type=DeviceDispense' -H "$TOKEN" | grep {of_story}; do sleep 0.2; done

A dispense from birth to end, to paste as a whole: record one and complete it by a signed document, which cannot be taken back; record another one
and mark it in error; see what happened to both, and to the device request.

TOKEN='Authorization: Bearer {stop_token}'
PATIENT='{base}/api/patients/{PATIENT}/device_dispenses'
reference() {{ printf '{{"identifier":{{"type":{{"coding":[{{"system":"eHealth/resources","code":"%s"}}]}},"value":"%s"}}}}' "$1" "$2"; }}
record() {{ curl -sS -w '\n' "$PATIENT" -H "$TOKEN" -H 'Content-Type: application/json' -d '{{"id":"'$1'","status":"in_progress","based_on":'"$(reference device_request $2)"',
  "performer":'"$(reference employee {EMPLOYEE})"',"location":'"$(reference division {DIVISION})"',"program":'"$(reference medical_program {PROGRAM})"',
  "details":[{{"device":'"$(reference device_definition {DEVICE})"',"quantity":{{"value":2,"system":"device_unit","code":"piece"}},"sell_price":412.5,"discount_amount":380}}]}}'; }}
sign() {{ curl -sS "$PATIENT/$1" -H "$TOKEN" | '{program}' sign --folder '{keys}' --set "$2"; }}
change() {{ curl -sS -w '\n' -X PATCH "$PATIENT/$1/actions/$2" -H "$TOKEN" -H 'Content-Type: application/json' -d "$(sign $1 "$3")"; }}
MISTAKE='{{"status":"entered_in_error","status_reason":{{"coding":[{{"system":"device_dispense_mark_in_error_reasons","code":"duplicate"}}]}}}}'
record {recorded} {of_request}
change {recorded} complete '{{"status":"completed","when_handed_over":"'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'","payment_amount":32.5}}'
change {recorded} mark_in_error "$MISTAKE"
record {other} {of_other}
change {other} mark_in_error "$MISTAKE"
until curl -sS -w '\n' '{base}/api/events?entity_type=DeviceRequest' -H "$TOKEN" | grep {of_request}; do sleep 0.2; done

List the dispenses of a patient:

curl -sS '{base}/api/patients/{PATIENT}/device_dispenses' \
  -H 'Authorization: Bearer {stop_token}'

List the contract divisions:

curl -sS '{base}/api/admin/contract_divisions' \
  -H 'Authorization: Bearer {update_token}' \
  -H 'api-key: {api_key}'

Where to look next, from another terminal:
- every request, {reading}
- the events that went out: ESOZ_SQLITE__PATH='{store}' '{program}' events
- everything that is stored: the SQLite file {store}
- data of your own: ESOZ_SQLITE__PATH='{store}' ESOZ_PATIENT__KEY_FILE='{patient_key}' '{program}' import FILE
- a token of your own: ESOZ_SQLITE__PATH='{store}' '{program}' token issue --user {USER} --client {PHARMACY} --scope 'device_dispense:stop'
- every setting: docs/esoz.example.toml"#,
        stop_token = stop_token.expose(),
        update_token = update_token.expose(),
        api_key = api_key.expose(),
        store = store.display(),
        keys = keys.display(),
        patient_key = patient_key.display(),
        program = program.display(),
    ))
}
