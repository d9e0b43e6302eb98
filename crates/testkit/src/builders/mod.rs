//! Well-formed records, each with ids that no other one has. What a test cares about it sets, by struct update or, for a
//! dispense, by [`DispenseBuilder`].

mod dispense;
mod dispense_writes;

use esoz_auth::{NewAccessToken, NewApiKey, Scope, Secret, TokenKind};
use esoz_contract_division::{
    Contract, ContractDivision, ContractRecord, ContractStatus, ContractType, Division, DivisionRecord,
    DivisionStatus,
};
use esoz_device_dispense::{Dispense, DispenseStatus, Transition};
use esoz_events::{EntityType, LoggedEvent, StatusChangeEvent};
use esoz_kernel::{
    CivilDate, ClientId, ContractDivisionId, ContractId, DivisionId, EventId, IdGenerator, IdempotencyKey,
    LegalEntityId, RequestId, Stamps, Timestamp, TraceContext, UserId, Uuid, system::RandomIds,
};
use esoz_legal_entity::{LegalEntity, LegalEntityRecord, LegalEntityStatus, LegalEntityType};
use jiff::SignedDuration;

pub use dispense::{DispenseBuilder, concept, dispense, reference};
pub use dispense_writes::{
    MAX_WRONG_CODES, completing, create_of, decide_create, device_request, dispense_of, signed_change,
    update_of,
};

/// A UUID that was never given out before.
pub fn fresh() -> Uuid {
    RandomIds.fresh()
}

/// A user that nobody knows yet.
pub fn user() -> UserId {
    UserId::new(fresh())
}

/// A client that nobody knows yet.
pub fn client() -> ClientId {
    ClientId::new(fresh())
}

/// An idempotency key that was never used before.
pub fn idempotency_key() -> IdempotencyKey {
    IdempotencyKey::from_uuid(fresh())
}

/// A request id that was never given out before.
pub fn request_id() -> RequestId {
    RequestId::from_uuid(fresh())
}

/// That many milliseconds after the instant at which the builders' dispenses were last written, 2026-01-31T08:15:30.123Z.
pub fn at_millis(millis: i64) -> Timestamp {
    Timestamp::constant(1_769_847_330, 123_000_000).saturating_add(SignedDuration::from_millis(millis))
}

/// That many microseconds after the instant at which the builders' other records were last written,
/// 2026-01-31T08:15:30.123456Z.
pub fn at_micros(micros: i64) -> Timestamp {
    Timestamp::constant(1_769_847_330, 123_456_000).saturating_add(SignedDuration::from_micros(micros))
}

/// Stamps of a record written by one user and changed by another, a day later.
pub fn stamps() -> Stamps {
    Stamps {
        inserted_at: at_micros(-86_400_000_001),
        inserted_by: user(),
        updated_at: at_micros(0),
        updated_by: user(),
    }
}

/// An active pharmacy.
pub fn legal_entity() -> LegalEntityRecord {
    let id = fresh();
    let kind = LegalEntityType::new("PHARMACY");
    LegalEntityRecord {
        facts: LegalEntity { id: LegalEntityId::new(id), kind, status: LegalEntityStatus::Active },
        name: format!("Pharmacy {id}"),
        edrpou: format!("{:08}", id.as_u128() % 100_000_000),
        is_active: true,
        stamps: stamps(),
    }
}

/// An active division of that legal entity.
pub fn division_of(legal_entity: LegalEntityId) -> DivisionRecord {
    let id = fresh();
    DivisionRecord {
        facts: Division { id: DivisionId::new(id), legal_entity, is_active: true },
        name: format!("Division {id}"),
        kind: "CLINIC".to_owned(),
        status: DivisionStatus::Active,
        dls_verified: Some(true),
        stamps: stamps(),
    }
}

/// An active contract of type GB_CBP of that contractor.
pub fn contract_of(contractor: LegalEntityId) -> ContractRecord {
    let id = fresh();
    ContractRecord {
        facts: Contract { id: ContractId::new(id), kind: ContractType::GbCbp, contractor, is_active: true },
        status: ContractStatus::Verified,
        contract_number: format!("0000-{:08}", id.as_u128() % 100_000_000),
        start_date: CivilDate::constant(2026, 1, 1),
        end_date: CivilDate::constant(2026, 12, 31),
        is_suspended: false,
        stamps: stamps(),
    }
}

/// An active place of delivery of that contract.
pub fn contract_division(contract_id: ContractId, division_id: DivisionId) -> ContractDivision {
    let id = ContractDivisionId::new(fresh());
    ContractDivision { id, contract_id, division_id, is_active: true, stamps: stamps() }
}

/// A change of the dispense from the status that it has, at that instant (milliseconds), by a user of its own, with its event.
/// Whether the status model allows it is not asked.
pub fn change_of(dispense: &Dispense, to: DispenseStatus, at: Timestamp) -> Transition {
    let by = user();
    let event = StatusChangeEvent {
        new_status: to.as_str().to_owned(),
        event_time: at,
        changed_by: by,
        ..event_of(dispense.id.uuid())
    };
    Transition {
        id: dispense.id,
        owner: Some(dispense.owner),
        subject: Some(dispense.subject.clone()),
        inserted_before: None,
        from: vec![dispense.status],
        to,
        at,
        by,
        event,
        idempotency: None,
    }
}

/// An event that says that this dispense was stopped.
pub fn event_of(dispense: Uuid) -> StatusChangeEvent {
    StatusChangeEvent {
        id: EventId::new(fresh()),
        entity_type: EntityType::DEVICE_DISPENSE,
        entity_id: dispense,
        new_status: DispenseStatus::Stopped.as_str().to_owned(),
        event_time: at_millis(0),
        changed_by: user(),
        request_id: request_id(),
        trace: TraceContext::new(fresh().as_u128(), 1, true),
    }
}

/// An event of the log that says that some dispense was stopped.
pub fn logged_event() -> LoggedEvent {
    LoggedEvent::from(&event_of(fresh()))
}

/// A secret with 148 random bits, and so one that nobody else has.
pub fn secret() -> Secret {
    Secret::new(format!("{}{}", fresh().simple(), fresh().simple()))
}

/// An access token of a user and a client of its own, good for one hour after [`at_micros`] zero, with the scopes of both methods.
pub fn access_token(token: &Secret) -> NewAccessToken {
    NewAccessToken {
        digest: token.digest(),
        kind: TokenKind::Access,
        user_id: user(),
        client_id: ClientId::new(fresh()),
        scope: Scope::parse("device_dispense:stop private_contracts:write"),
        expires_at: at_micros(3_600_000_000),
        issued_at: at_micros(0),
    }
}

/// An api key of a client of its own, with the scope of the method that asks for one.
pub fn api_key(key: &Secret) -> NewApiKey {
    NewApiKey {
        digest: key.digest(),
        client_id: ClientId::new(fresh()),
        scope: Scope::parse("private_contracts:write"),
        issued_at: at_micros(0),
    }
}
