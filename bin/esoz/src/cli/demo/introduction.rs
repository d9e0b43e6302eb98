use std::path::Path;

use anyhow::{Context as _, Result};
use esoz_auth::Operation as _;
use esoz_device_dispense::StopDispense;
use esoz_kernel::IdGenerator as _;
use esoz_kernel::system::RandomIds;

use super::data::{CONTRACT_DIVISION, Fresh, PATIENT, PHARMACY, USER, new_dispense, new_pair};
use super::samples::Credentials;
use crate::features::Feature;

/// What a demo keeps in its folder.
pub(super) struct Files<'a> {
    pub(super) store: &'a Path,
    /// The folder of the keys that sign documents.
    pub(super) keys: &'a Path,
    pub(super) patient_key: &'a Path,
}

/// Writes requests to paste.
pub(super) fn introduction(
    base: &str,
    credentials: &Credentials,
    Files { store, keys, patient_key }: Files<'_>,
    fresh: &Fresh,
) -> Result<String> {
    let Fresh { dispense_to_stop, dispense_of_story, request_to_complete, request_of_mistake, .. } = fresh;
    let [completed, mistake] = [RandomIds.fresh(), RandomIds.fresh()];
    let program = std::env::current_exe().context("finding this program")?;
    let Credentials { pharmacy: stop_token, health_service: update_token, api_key } = credentials;
    let reading = if Feature::Swagger.is_built() {
        format!("to read and to try in a browser: {base}/docs")
    } else {
        format!("as OpenAPI describes it: {base}/openapi.json")
    };
    Ok(format!(
        r#"esoz is listening on {base}; Ctrl-C stops it.

Open {base}/ in a browser: it shows each request and why it was refused, live, and what to try.
It is for invented data alone: page and log have the whole path of a request that is not found, with the patient in it.

Stop a device dispense. A second time the answer is 409, since it is stopped then:

curl -sS -w '\n' -X PATCH '{base}/api/patients/{PATIENT}/device_dispenses/{dispense_to_stop}/actions/stop' \
  -H 'Authorization: Bearer {stop_token}'

Update a contract division:

curl -sS -w '\n' -X PUT '{base}/api/admin/contract_divisions/{CONTRACT_DIVISION}' \
  -H 'Authorization: Bearer {update_token}' \
  -H 'api-key: {api_key}' \
  -H 'Content-Type: application/json' \
  -d '{pair}'

A dispense from its list to its event, to paste as a whole: list what is in progress, read one, stop it, see the event.

TOKEN='Authorization: Bearer {stop_token}'
DISPENSE='{base}/api/patients/{PATIENT}/device_dispenses/{dispense_of_story}'
curl -sS -w '\n' '{base}/api/device_dispenses?status=in_progress' -H "$TOKEN"
curl -sS -w '\n' "$DISPENSE" -H "$TOKEN"
curl -sS -w '\n' -X PATCH "$DISPENSE/actions/stop" -H "$TOKEN"
until curl -sS -w '\n' '{base}/api/events?entity_type=DeviceDispense' -H "$TOKEN" | grep {dispense_of_story}; do sleep 0.2; done

A dispense from birth to end, to paste as a whole: record one and complete it by a signed document, which cannot be taken back; record another one
and mark it in error; see what happened to both, and to the device request.

TOKEN='Authorization: Bearer {stop_token}'
PATIENT='{base}/api/patients/{PATIENT}/device_dispenses'
record() {{ curl -sS -w '\n' "$PATIENT" -H "$TOKEN" -H 'Content-Type: application/json' -d '{recorded_body}'; }}
sign() {{ curl -sS "$PATIENT/$1" -H "$TOKEN" | '{program}' sign --folder '{keys}' --set "$2"; }}
change() {{ curl -sS -w '\n' -X PATCH "$PATIENT/$1/actions/$2" -H "$TOKEN" -H 'Content-Type: application/json' -d "$(sign $1 "$3")"; }}
MISTAKE='{{"status":"entered_in_error","status_reason":{{"coding":[{{"system":"device_dispense_mark_in_error_reasons","code":"duplicate"}}]}}}}'
record {completed} {request_to_complete}
change {completed} complete '{{"status":"completed","when_handed_over":"'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'","payment_amount":32.5}}'
change {completed} mark_in_error "$MISTAKE"
record {mistake} {request_of_mistake}
change {mistake} mark_in_error "$MISTAKE"
until curl -sS -w '\n' '{base}/api/events?entity_type=DeviceRequest' -H "$TOKEN" | grep {request_to_complete}; do sleep 0.2; done

List the dispenses of a patient:

curl -sS -w '\n' '{base}/api/patients/{PATIENT}/device_dispenses' \
  -H 'Authorization: Bearer {stop_token}'

List the contract divisions:

curl -sS -w '\n' '{base}/api/admin/contract_divisions' \
  -H 'Authorization: Bearer {update_token}' \
  -H 'api-key: {api_key}'

Where to look next, from another terminal:
- every request, {reading}
- the events that went out: ESOZ_SQLITE__PATH='{store}' '{program}' events
- everything that is stored: the SQLite file {store}
- data of your own: ESOZ_SQLITE__PATH='{store}' ESOZ_PATIENT__KEY_FILE='{patient_key}' '{program}' import FILE
- a token of your own: ESOZ_SQLITE__PATH='{store}' '{program}' token issue --user {USER} --client {PHARMACY} --scope '{scope}'
- every setting: docs/esoz.example.toml"#,
        pair = new_pair(),
        // The quotes end the shell's, so that it puts its arguments there.
        recorded_body = new_dispense("'$1'", "'$2'"),
        stop_token = stop_token.expose(),
        update_token = update_token.expose(),
        api_key = api_key.expose(),
        scope = StopDispense::SCOPE,
        store = store.display(),
        keys = keys.display(),
        patient_key = patient_key.display(),
        program = program.display(),
    ))
}
