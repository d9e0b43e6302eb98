//! What creates and completes of dispenses rest on: registries, device requests, and a pharmacist whose signature the server trusts.

use std::path::Path;

use anyhow::{Context as _, Result};
use esoz_kernel::{Timestamp, Uuid};
use esoz_signature_cms::sign::{Period, Person, TestAuthority};
use esoz_testkit::builders::{fresh, reference};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::succeed;
use super::{Stage, Store, Venue, people, variable};
use crate::job::{CompleteWork, CreateWork, ID, REQUEST};

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";

const VALID: Period =
    Period { from: Timestamp::constant(1_577_836_800, 0), until: Timestamp::constant(4_102_444_800, 0) };

/// The number in the pharmacist's certificate, which is nobody's.
const DRFO: &str = "3141592653";

/// What creates and completes take beside the people.
pub(super) struct Writes {
    token: String,
    /// Where signed documents are kept.
    _media: TempDir,
    certificates: String,
    key: String,
    employee: Uuid,
    program: Uuid,
    definition: Uuid,
}

impl Stage {
    /// Fresh stores in which dispenses can be recorded and completed as well. Signed documents are kept in memory where the system offers that, so
    /// that what media storage takes by itself does not count.
    pub fn for_writes(store: Store, program: &Path, venue: &Venue) -> Result<Self> {
        let mut stage = Self::new(store, program, venue)?;
        let memory = Path::new(MEMORY);
        let temporary = std::env::temp_dir();
        let media = tempfile::Builder::new()
            .prefix("esoz-bench-media-")
            .tempdir_in(if memory.is_dir() { memory } else { &temporary })
            .context("making a folder for signed documents")?;
        let authority = TestAuthority::new("The authority of the bench", VALID)?;
        let authorities = stage.folder().join("authorities.pem");
        std::fs::write(&authorities, authority.certificate_pem()?).context("writing the authority")?;
        let text = |path: &Path| path.to_str().map(str::to_owned).context("a path that is no text");
        stage.variables.extend([
            variable("ESOZ_SIGNATURE__VERIFIER", "cms"),
            variable("ESOZ_SIGNATURE__AUTHORITIES_FILE", &text(&authorities)?),
            variable("ESOZ_MEDIA__FOLDER", &text(media.path())?),
        ]);
        let person =
            Person { name: "Pharmacist".to_owned(), drfo: Some(DRFO.to_owned()), ..Person::default() };
        let signer = authority.signer(&person, VALID)?;
        let mut writes = Writes {
            token: String::new(),
            _media: media,
            certificates: signer.certificates_pem()?,
            key: signer.key_pem(),
            employee: fresh(),
            program: fresh(),
            definition: fresh(),
        };
        let lines = stage.registries(&writes).join("\n");
        succeed(program, &stage.variables, &["import", "-"], &lines)?;
        let (user, client) = (stage.people.user.to_string(), stage.people.legal_entity.to_string());
        let scope = "device_dispense:write device_dispense:complete device_dispense:stop";
        let token = ["token", "issue", "--user", &user, "--client", &client, "--ttl", "7d", "--scope", scope];
        writes.token = succeed(program, &stage.variables, &token, "")?;
        stage.writes = Some(writes);
        Ok(stage)
    }

    /// The records of the registries, and a device request with a quantity, as `esoz import` takes them.
    fn registries(&self, writes: &Writes) -> [String; 7] {
        let people::People { user, legal_entity, patient, request, .. } = self.people;
        let Writes { employee, program, definition, .. } = writes;
        let party = fresh();
        let lines: [(&str, Value); 7] = [
            ("person", json!({"id": patient, "status": "active", "verification_status": "VERIFIED"})),
            ("party", json!({"id": party, "tax_id": DRFO, "users": [user]})),
            (
                "employee",
                json!({
                    "id": employee, "party_id": party, "legal_entity_id": legal_entity,
                    "type": "PHARMACIST", "status": "APPROVED", "is_active": true, "name": "Pharmacist",
                }),
            ),
            (
                "medical_program",
                json!({"id": program, "name": "Program", "type": "DEVICE", "is_active": true}),
            ),
            (
                "device_definition",
                json!({
                    "id": definition, "name": "Test strips", "is_active": true,
                    "classification_type": "30221", "packaging_unit": "piece", "packaging_count": 2,
                }),
            ),
            (
                "program_device",
                json!({
                    "id": fresh(), "program_id": program, "device_definition_id": definition,
                    "is_active": true, "start_date": "2026-01-01",
                    "reimbursement": {"type": "FIXED", "amount": 380},
                }),
            ),
            (
                "device_request",
                json!({
                    "id": request, "patient_id": patient, "status": "active", "intent": "order",
                    "program": program, "code": "30221", "quantity": {"value": 2, "code": "piece"},
                    "dispense_valid_to": "2099-12-31",
                }),
            ),
        ];
        lines.map(|(kind, data)| json!({"kind": kind, "data": data}).to_string())
    }

    fn writes(&self) -> Result<&Writes> {
        self.writes.as_ref().context("this stage has no registries")
    }

    /// A token that may record, complete and stop dispenses.
    pub fn write_token(&self) -> Result<&str> {
        Ok(&self.writes()?.token)
    }

    /// The create of dispenses of the device requests with these numbers.
    pub fn create_work(&self, base: u64, requests: u64) -> Result<CreateWork> {
        let Writes { employee, program, definition, .. } = self.writes()?;
        let given = |code: &str, id: &str| {
            let mut given = reference(code, id);
            // What the service adds.
            given.as_object_mut().and_then(|given| given.remove("display_value"));
            given
        };
        let body = json!({
            "id": ID,
            "status": "in_progress",
            "performer": given("employee", &employee.to_string()),
            "location": given("division", &self.people.division.to_string()),
            "based_on": given("device_request", REQUEST),
            "program": given("medical_program", &program.to_string()),
            "details": [{
                "device": given("device_definition", &definition.to_string()),
                "quantity": {"value": 2, "system": "device_unit", "code": "piece"},
                "sell_price": 412.5,
                "discount_amount": 380,
            }],
        });
        Ok(CreateWork { base, requests, patient: self.people.patient, body: body.to_string() })
    }

    /// The complete of the dispenses with these numbers.
    pub fn complete_work(&self, base: u64, dispenses: u64) -> Result<CompleteWork> {
        let Writes { certificates, key, .. } = self.writes()?;
        let mut content = self.people.in_progress.clone();
        for (field, value) in [
            ("id", json!(ID)),
            ("subject", reference("patient", self.people.patient)),
            ("based_on", reference("device_request", REQUEST)),
            ("status", json!("completed")),
            ("when_handed_over", json!("2026-01-31T08:10:00.000Z")),
            ("payment_amount", json!(32.5)),
        ] {
            content.insert(field.to_owned(), value);
        }
        Ok(CompleteWork {
            dispenses: self.stop_work(base, dispenses),
            content: Value::Object(content).to_string(),
            certificates: certificates.clone(),
            key: key.clone(),
        })
    }
}
