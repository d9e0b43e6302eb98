//! The sample data, and records that are fresh in each demo.

use std::io::Cursor;

use anyhow::{Context as _, Result, bail};
use esoz_import::ImportLimits;
use esoz_kernel::system::RandomIds;
use esoz_kernel::{IdGenerator as _, Uuid};
use serde_json::{Value, json};
use uuid::uuid;

use crate::cli::import::importer;
use crate::compose::stores::Stores;
use crate::config::Config;

/// The sample data, in the format of `esoz import`.
const DATA: &str = include_str!("../demo_data.ndjson");

// Records of the sample data.
pub(super) const PHARMACY: Uuid = uuid!("1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10");
pub(super) const HEALTH_SERVICE: Uuid = uuid!("3b8e4c90-5d79-4f2d-8c4e-7e7c6dae3f32");
pub(super) const USER: Uuid = uuid!("5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01");
pub(super) const PATIENT: Uuid = uuid!("aff00bf6-68bf-4b49-b66d-f031d48922b3");
pub(super) const DISPENSE: Uuid = uuid!("29dc859e-37fa-481d-8526-e95ac76036dd");
pub(super) const CONTRACT_DIVISION: Uuid = uuid!("07ba637c-15d8-46fb-8304-c738a54e14bb");
pub(super) const NEW_DIVISION: Uuid = uuid!("b2651e27-c083-41a6-9ebf-72e35091cf66");
pub(super) const PROGRAM: Uuid = uuid!("9d43fc05-ae61-4f84-9c9d-50c13e7fad44");
pub(super) const EMPLOYEE: Uuid = uuid!("7b21dae3-8c4f-4d62-9a7b-3eaf1c5d8b22");
pub(super) const DIVISION: Uuid = uuid!("8c32ebf4-9d50-4e73-8b8c-4fb02d6e9c33");
pub(super) const DEVICE: Uuid = uuid!("bf65be27-c083-4aa6-be1f-72e35091cf66");
/// The taxpayer number of the user.
pub(super) const DRFO: &str = "3126509816";
pub(super) const NEW_CONTRACT: Uuid = uuid!("e598415a-f3b6-44d9-81e2-a516832cf299");

/// Records that no earlier demo on this store has used.
pub(super) struct Fresh {
    // Dispenses in progress.
    /// That of the first printed request.
    pub(super) dispense_to_stop: Uuid,
    /// That of the printed story.
    pub(super) dispense_of_story: Uuid,
    /// That of the pages.
    pub(super) dispense_of_pages: Uuid,
    // Device requests for two pieces each.
    /// That of the dispense that is recorded and completed.
    pub(super) request_to_complete: Uuid,
    /// That of the dispense that is recorded by mistake.
    pub(super) request_of_mistake: Uuid,
    /// That of the pages.
    pub(super) request_of_pages: Uuid,
}

/// Imports the sample data, and fresh records.
pub(super) async fn load(config: &Config, stores: &Stores) -> Result<Fresh> {
    let fresh = Fresh {
        dispense_to_stop: RandomIds.fresh(),
        dispense_of_story: RandomIds.fresh(),
        dispense_of_pages: RandomIds.fresh(),
        request_to_complete: RandomIds.fresh(),
        request_of_mistake: RandomIds.fresh(),
        request_of_pages: RandomIds.fresh(),
    };
    let sample = DISPENSE.to_string();
    let line = DATA.lines().find(|line| line.contains(&sample)).context("the sample data lack a dispense")?;
    let dispenses = [fresh.dispense_to_stop, fresh.dispense_of_story, fresh.dispense_of_pages];
    let dispenses = dispenses.map(|id| line.replace(&sample, &id.to_string()));
    let requests = [fresh.request_to_complete, fresh.request_of_mistake, fresh.request_of_pages];
    let requests = requests.map(|id| {
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

/// The body that records a dispense of a device request.
pub(super) fn new_dispense(id: &str, request: &str) -> Value {
    let reference = |code: &str, id: &str| {
        let coding = json!({"coding": [{"system": "eHealth/resources", "code": code}]});
        json!({"identifier": {"type": coding, "value": id}})
    };
    json!({
        "id": id,
        "status": "in_progress",
        "based_on": reference("device_request", request),
        "performer": reference("employee", &EMPLOYEE.to_string()),
        "location": reference("division", &DIVISION.to_string()),
        "program": reference("medical_program", &PROGRAM.to_string()),
        "details": [{
            "device": reference("device_definition", &DEVICE.to_string()),
            "quantity": {"value": 2, "system": "device_unit", "code": "piece"},
            "sell_price": 412.5,
            "discount_amount": 380,
        }],
    })
}

/// The body that gives a contract division another contract and division.
pub(super) fn new_pair() -> Value {
    json!({"division_id": NEW_DIVISION, "contract_id": NEW_CONTRACT})
}
