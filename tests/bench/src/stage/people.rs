//! Who asks, and one of each thing that there will be many of.

use std::path::Path;

use anyhow::Result;
use esoz_device_dispense::PatientPseudonyms as _;
use esoz_kernel::{LegalEntityId, PatientId, Uuid};
use esoz_pseudonym::HmacSha256Pseudonyms;
use esoz_testkit::builders::{dispense, fresh, reference};
use serde_json::{Map, Value, json};

use super::server::succeed;
use crate::job::StopWork;

/// The secret of the pseudonyms, which are of nobody.
pub(super) const PATIENT_KEY: &str = "a secret that only the bench knows";

/// A legal entity with one of each thing, and whoever may change them. What there is many of is copied from these.
pub(super) struct People {
    pub(super) user: Uuid,
    pub(super) token: String,
    pub(super) api_key: String,
    pub(super) legal_entity: Uuid,
    pub(super) patient: Uuid,
    pub(super) subject: String,
    pub(super) dispense: Uuid,
    pub(super) request: Uuid,
    pub(super) record: Uuid,
    pub(super) contract: Uuid,
    pub(super) division: Uuid,
    /// The dispense, but for what names the patient.
    pub(super) in_progress: Map<String, Value>,
}

impl People {
    /// Puts them into the stores that these variables name, as an operator does.
    pub(super) fn settle(program: &Path, variables: &[(String, String)]) -> Result<Self> {
        let (user, legal_entity, patient) = (fresh(), fresh(), fresh());
        let (of, request) = (LegalEntityId::new(legal_entity), fresh());
        let in_progress = dispense()
            .owner(of)
            .field("based_on", reference("device_request", request))
            .field("inserted_by", json!(user))
            .build();
        let mut people = Self {
            user,
            token: String::new(),
            api_key: String::new(),
            legal_entity,
            patient,
            subject: HmacSha256Pseudonyms::try_new(PATIENT_KEY)?
                .of(PatientId::new(patient))
                .expose()
                .to_owned(),
            dispense: fresh(),
            request,
            record: fresh(),
            contract: fresh(),
            division: fresh(),
            in_progress: in_progress.record,
        };
        succeed(program, variables, &["import", "-"], &people.lines().join("\n"))?;
        let (user, client) = (people.user.to_string(), people.legal_entity.to_string());
        let token = [
            "token",
            "issue",
            "--user",
            &user,
            "--client",
            &client,
            "--ttl",
            "7d",
            "--scope",
            "device_dispense:stop device_dispense:read private_contracts:write",
        ];
        people.token = succeed(program, variables, &token, "")?;
        let key = ["api-key", "issue", "--client", &client, "--scope", "private_contracts:write"];
        people.api_key = succeed(program, variables, &key, "")?;
        Ok(people)
    }

    /// All of it as `esoz import` takes it: legal entity, division, contract, contract division, dispense.
    pub(super) fn lines(&self) -> [String; 5] {
        let mut in_progress = self.in_progress.clone();
        in_progress.insert("id".to_owned(), json!(self.dispense));
        in_progress.insert("patient_id".to_owned(), json!(self.patient));
        let Self { legal_entity, division, contract, .. } = self;
        let data: [(&str, Value); 5] = [
            (
                "legal_entity",
                json!({
                    "id": legal_entity, "name": "Bench", "edrpou": "30000001", "type": "PHARMACY",
                    "status": "ACTIVE", "is_active": true,
                }),
            ),
            (
                "division",
                json!({
                    "id": division, "legal_entity_id": legal_entity, "name": "Division", "type": "CLINIC",
                    "status": "ACTIVE", "is_active": true, "dls_verified": true,
                }),
            ),
            (
                "contract",
                json!({
                    "id": contract, "type": "GB_CBP", "status": "VERIFIED", "contract_number": "0000-GB01",
                    "contractor_legal_entity_id": legal_entity, "start_date": "2026-01-01",
                    "end_date": "2026-12-31", "is_active": true, "is_suspended": false,
                }),
            ),
            (
                "contract_division",
                json!({
                    "id": self.record, "contract_id": contract, "division_id": division, "is_active": true,
                }),
            ),
            ("device_dispense", Value::Object(in_progress)),
        ];
        data.map(|(kind, data)| json!({"kind": kind, "data": data}).to_string())
    }

    pub(super) fn stop_work(&self, base: u64, dispenses: u64) -> StopWork {
        let Self { patient, ref subject, legal_entity: owner, user, .. } = *self;
        StopWork { base, dispenses, patient, subject: subject.clone(), owner, user }
    }
}
