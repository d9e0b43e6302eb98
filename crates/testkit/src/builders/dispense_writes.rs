use std::sync::Arc;

use esoz_device_dispense::{
    Change, ChangeRefusal, Create, CreatePolicy, CreateRefusal, DEVICE_REQUEST, DecideCreate, DeviceRequest,
    DeviceRequestRecord, DeviceRequestStatus, Dispense, DispenseFacts, DispenseStatus, DispenseUpdate,
    OccurrencePeriod, Pseudonym, RequestFacts, RequestQuery, RequestedDevice, RequestedQuantity,
    VerificationCode, visible,
};
use esoz_events::StatusChangeEvent;
use esoz_kernel::{
    CivilDate, DeviceRequestId, MedicalProgramId, Stamps, StoreError, Timestamp, time::to_millis,
};
use serde_json::Map;

use super::{DispenseBuilder, dispense, event_of, fresh, reference, stamps, user};

/// How many wrong codes [`decide_create`] compares.
pub const MAX_WRONG_CODES: u32 = 5;

/// An active order of three pieces of a type of device for January 2026, of a patient and a program of its own, without a verification code.
pub fn device_request() -> DeviceRequestRecord {
    let Stamps { inserted_at, updated_at, .. } = stamps();
    DeviceRequestRecord {
        facts: DeviceRequest {
            id: DeviceRequestId::new(fresh()),
            subject: Pseudonym::new(format!("{:X}{:X}", fresh().simple(), fresh().simple())),
            status: DeviceRequestStatus::Active,
            intent: DeviceRequest::ORDER.to_owned(),
            program: Some(MedicalProgramId::new(fresh())),
            device: RequestedDevice::Type("30221".to_owned()),
            quantity: Some(RequestedQuantity { value: 3.into(), code: "piece".to_owned() }),
            occurrence_period: Some(OccurrencePeriod {
                start: CivilDate::constant(2026, 1, 1),
                end: CivilDate::constant(2026, 1, 31),
            }),
            dispense_valid_to: CivilDate::constant(2026, 12, 31),
            verification_code: None,
        },
        stamps: Stamps { inserted_at: to_millis(inserted_at), updated_at: to_millis(updated_at), ..stamps() },
    }
}

/// Begins a dispense in progress of that request, for its patient.
pub fn dispense_of(request: &DeviceRequest) -> DispenseBuilder {
    dispense().subject(request.subject.clone()).field("based_on", reference("device_request", request.id))
}

/// A create of the dispense at that instant (milliseconds), by a user of its own, with its event, as [`decide_create`] decides without a code.
/// Nothing was seen; each dispense in progress counts as active.
pub fn create_of(dispense: &Dispense, request: DeviceRequestId, at: Timestamp) -> Create {
    let by = user();
    Create {
        query: RequestQuery {
            request,
            id: dispense.id,
            active_since: None,
            codes_since: at.saturating_sub(CreatePolicy::WRONG_CODES_WINDOW),
        },
        seen: RequestFacts::default(),
        owner: dispense.owner,
        subject: dispense.subject.clone(),
        decide: decide_create(dispense, None),
        at,
        by,
        event: StatusChangeEvent {
            new_status: dispense.status.as_str().to_owned(),
            event_time: at,
            changed_by: by,
            ..event_of(dispense.id.uuid())
        },
        idempotency: None,
    }
}

/// Decides that the dispense is recorded if its request is active, its id free, no other dispense of the request active, and the code the one of
/// the request, unless [`MAX_WRONG_CODES`] wrong ones were given.
pub fn decide_create(dispense: &Dispense, code: Option<&str>) -> DecideCreate {
    let (dispense, code) = (dispense.clone(), code.and_then(VerificationCode::parse));
    Arc::new(move |found| {
        let request = found.request.as_ref().filter(|request| request.subject == dispense.subject);
        let request = request.ok_or(CreateRefusal::RequestNotFound)?;
        if request.status != DeviceRequestStatus::Active {
            return Err(CreateRefusal::RequestNotActive);
        }
        if found.is_id_taken {
            return Err(CreateRefusal::IdTaken);
        }
        if found.has_active_dispense {
            return Err(CreateRefusal::OtherActive);
        }
        if request.verification_code.is_some() && found.wrong_codes >= MAX_WRONG_CODES {
            return Err(CreateRefusal::TooManyCodes(1));
        }
        if request.verification_code.is_some() && request.verification_code != code {
            return Err(CreateRefusal::WrongCode);
        }
        Ok(dispense.clone())
    })
}

/// An update that gives the dispense that status at that instant (milliseconds), by a user of its own, and nothing else but a link.
pub fn update_of(dispense: &Dispense, to: DispenseStatus, at: Timestamp) -> DispenseUpdate {
    DispenseUpdate {
        to,
        reason: None,
        set: Map::new(),
        link: format!("signed_content/{}", fresh()),
        event: StatusChangeEvent {
            new_status: to.as_str().to_owned(),
            event_time: at,
            changed_by: user(),
            ..event_of(dispense.id.uuid())
        },
        is_request_compared: false,
        completed_request: None,
    }
}

/// The same update, which completes the request as well.
#[must_use]
pub fn completing(request: DeviceRequestId, update: DispenseUpdate) -> DispenseUpdate {
    let event = StatusChangeEvent {
        id: event_of(request.uuid()).id,
        entity_type: DEVICE_REQUEST,
        entity_id: request.uuid(),
        new_status: DeviceRequestStatus::Completed.as_str().to_owned(),
        ..update.event.clone()
    };
    DispenseUpdate { is_request_compared: true, completed_request: Some(event), ..update }
}

/// A change with that update, at the instant and by the user of its event, if the dispense is the caller's and has still its status, and, when the
/// update rests on the request, that is active.
pub fn signed_change(dispense: &Dispense, update: &DispenseUpdate) -> Change {
    let (owner, subject, from) = (dispense.owner, dispense.subject.clone(), dispense.status);
    let decided = update.clone();
    let decide = move |found: DispenseFacts| -> Result<Result<DispenseUpdate, ChangeRefusal>, StoreError> {
        let current = match visible(found.stored, owner, &subject)? {
            Ok(current) => current,
            Err(hidden) => return Ok(Err(ChangeRefusal::NotFound(hidden))),
        };
        let request = if decided.is_request_compared { found.request.transpose()? } else { None };
        let is_active = request.is_some_and(|request| request.status == DeviceRequestStatus::Active);
        Ok(if decided.is_request_compared && !is_active {
            Err(ChangeRefusal::RequestNotActive)
        } else if current.status == from {
            Ok(decided.clone())
        } else {
            Err(ChangeRefusal::CannotBeCompleted(current.status))
        })
    };
    Change {
        id: dispense.id,
        owner,
        subject: dispense.subject.clone(),
        decided: None,
        decide: Arc::new(decide),
        at: update.event.event_time,
        by: update.event.changed_by,
        idempotency: None,
    }
}
