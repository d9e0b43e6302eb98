use esoz_kernel::{LegalEntityId, Stamps};
use esoz_legal_entity::{LegalEntity, LegalEntityRecord, LegalEntityStatus, LegalEntityType};
use serde::Deserialize;

use crate::json::{Parsed, Text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LegalEntityLine {
    id: Parsed<LegalEntityId>,
    name: Text,
    edrpou: Text,
    #[serde(rename = "type")]
    kind: Text,
    status: Parsed<LegalEntityStatus>,
    is_active: bool,
}

impl LegalEntityLine {
    pub(super) fn into_record(self, stamps: Stamps) -> LegalEntityRecord {
        LegalEntityRecord {
            facts: LegalEntity {
                id: self.id.0,
                kind: LegalEntityType::new(self.kind.0),
                status: self.status.0,
            },
            name: self.name.0,
            edrpou: self.edrpou.0,
            is_active: self.is_active,
            stamps,
        }
    }
}
