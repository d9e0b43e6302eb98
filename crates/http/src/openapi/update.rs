//! The answers of an update.

use esoz_auth::{ApiKeyHolder, AuthError};
use esoz_contract_division::{ContractDivision, UpdateError, UpdatePermit};
use esoz_kernel::{ContractDivisionId, ContractId, DivisionId, Stamps, Timestamp, UserId, Uuid};
use utoipa::IntoResponses;

use super::answers::{Answers, Responses};
use super::stop::{USER, without_scope};
use crate::context::Repetition;
use crate::error::ApiError;
use crate::extract::body;
use crate::routes::contract_divisions::ContractDivisionDto;

const RECORD: Uuid = Uuid::from_u128(0x2a6e_4a59_9f1d_4e34_8a5c_0d7c_1b6f_3e92);

/// What an update may answer.
pub(crate) struct UpdateAnswers;

impl IntoResponses for UpdateAnswers {
    fn responses() -> Responses {
        let caller = without_scope();
        let api_key = ApiKeyHolder { client_id: caller.client_id, scope: caller.scope.clone() };
        let path = format!("/api/admin/contract_divisions/{RECORD}");
        Answers::of_path(&path, "PUT")
            .under_load()
            .with_budgets()
            .with_body()
            .success(
                "updated",
                "The record after the change.",
                "ContractDivision",
                ContractDivisionDto::from(&record()),
            )
            .failure("no_api_key", &AuthError::NoApiKey)
            .failure("invalid_api_key", &AuthError::InvalidApiKey)
            .failure("no_bearer_token", &AuthError::NoBearerToken)
            .failure("invalid_token", &AuthError::InvalidToken)
            .failed("missing_allowance", UpdatePermit::for_caller(&caller, &api_key))
            .refusal("unsupported_content_type", &ApiError::unsupported_content_type())
            .refusals([
                ("malformed", body::parse_change(b"{")),
                ("not_an_object", body::parse_change(b"[]")),
                ("required", body::parse_change(b"{}")),
                ("cast_and_format", body::parse_change(br#"{"division_id":1,"contract_id":"abc"}"#)),
                ("additional_property", body::parse_change(&with_additional_property())),
            ])
            .refusals([("idempotency_key", Repetition::Unclear.key())])
            .failure("not_found", &UpdateError::NotFound)
            .failure("not_global_budget", &UpdateError::NotGlobalBudget)
            .failure("division_not_found", &UpdateError::DivisionNotFound)
            .failure("division_of_another_legal_entity", &UpdateError::DivisionOfAnotherLegalEntity)
            .failure("contract_not_usable", &UpdateError::ContractNotUsable)
            .failure("pair_taken", &UpdateError::PairTaken)
            .failure("idempotency_key_reused", &UpdateError::KeyReused)
            .responses()
    }
}

fn with_additional_property() -> Vec<u8> {
    format!(r#"{{"division_id":"{RECORD}","contract_id":"{RECORD}","is_active":true}}"#).into_bytes()
}

fn record() -> ContractDivision {
    let (inserted_at, updated_at) =
        (Timestamp::constant(1_767_254_400, 482_913_000), Timestamp::constant(1_769_847_330, 123_456_000));
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
