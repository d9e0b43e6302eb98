//! Contract divisions: one file per method, and how a record is shown.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod pair;
pub(crate) mod show;
pub(crate) mod update;

use esoz_contract_division::ContractDivision;
use esoz_kernel::time::rfc3339_micros;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// The path of all records.
const PATH: &str = "/api/admin/contract_divisions";

/// The segment of the path of a record.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes the path")]
struct RecordPath {
    /// The contract division. What is no UUID is answered like an unknown one.
    #[param(format = "uuid")]
    id: String,
}

/// Where a contractor delivers: the whole record.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContractDivision)]
pub(crate) struct ContractDivisionDto {
    /// The record.
    #[schema(format = "uuid")]
    id: String,
    /// The contract that it belongs to.
    #[schema(format = "uuid")]
    contract_id: String,
    /// The division that it points at.
    #[schema(format = "uuid")]
    division_id: String,
    /// Whether it counts.
    is_active: bool,
    /// When it was created.
    #[schema(format = DateTime, pattern = r"\.\d{6}Z$")]
    inserted_at: String,
    /// The user who created it.
    #[schema(format = "uuid")]
    inserted_by: String,
    /// When it was last changed.
    #[schema(format = DateTime, pattern = r"\.\d{6}Z$")]
    updated_at: String,
    /// The user who last changed it.
    #[schema(format = "uuid")]
    updated_by: String,
}

impl From<&ContractDivision> for ContractDivisionDto {
    fn from(record: &ContractDivision) -> Self {
        Self {
            id: record.id.to_string(),
            contract_id: record.contract_id.to_string(),
            division_id: record.division_id.to_string(),
            is_active: record.is_active,
            inserted_at: rfc3339_micros(record.stamps.inserted_at),
            inserted_by: record.stamps.inserted_by.to_string(),
            updated_at: rfc3339_micros(record.stamps.updated_at),
            updated_by: record.stamps.updated_by.to_string(),
        }
    }
}

/// The path of the description's example.
fn example_path() -> String {
    format!("{PATH}/{}", example::RECORD)
}

/// The record of the description's examples.
mod example {
    use esoz_contract_division::ContractDivision;
    use esoz_kernel::{ContractDivisionId, ContractId, DivisionId, Stamps, Timestamp, UserId, Uuid};

    use crate::openapi::example::USER;

    pub(super) const RECORD: Uuid = Uuid::from_u128(0x2a6e_4a59_9f1d_4e34_8a5c_0d7c_1b6f_3e92);

    /// A contract division.
    pub(super) fn record() -> ContractDivision {
        let (inserted_at, updated_at) = (
            Timestamp::constant(1_767_254_400, 482_913_000),
            Timestamp::constant(1_769_847_330, 123_456_000),
        );
        ContractDivision {
            id: ContractDivisionId::new(RECORD),
            contract_id: ContractId::new(Uuid::from_u128(0x9d1f_5b4e_3c0a_4a6b_b6a5_8e7d_2c1f_0a33)),
            division_id: DivisionId::new(Uuid::from_u128(0xb075_f148_7f93_4fc2_b2ec_2d81_b19a_9b7b)),
            is_active: true,
            stamps: Stamps {
                inserted_at,
                inserted_by: UserId::new(USER),
                updated_at,
                updated_by: UserId::new(USER),
            },
        }
    }

    /// The same when it was created.
    pub(super) fn created() -> ContractDivision {
        let record = record();
        let Stamps { inserted_at, inserted_by, .. } = record.stamps;
        let stamps = Stamps { inserted_at, inserted_by, updated_at: inserted_at, updated_by: inserted_by };
        ContractDivision { stamps, ..record }
    }
}
