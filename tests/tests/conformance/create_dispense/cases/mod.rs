//! What may be wrong with a create: for each rule, in the order of the table, what breaks it and no rule before it, and what is answered.

mod details;

use esoz_contract_division::DivisionStatus;
use esoz_device_dispense::{DeviceRequestStatus, DispenseStatus, Pseudonym, RequestedDevice};
use esoz_kernel::{CivilDate, MedicalProgramId, PatientId};
use esoz_legal_entity::LegalEntityStatus;
use esoz_registries::{PersonStatus, VerificationStatus};
use esoz_testkit::builders::{fresh, user};
use esoz_tests::{CreateFixture, given};
use serde_json::Value;

use super::{EXPIRED, ID_TAKEN, NOT_ACTIVE, NOT_QUALIFIED, OTHER_ACTIVE, Told};

pub(super) use details::{DETAILS, by_code};

/// A create with one thing wrong, made so before the records are loaded.
pub(super) struct Case {
    pub(super) rule: u8,
    pub(super) what: &'static str,
    pub(super) spoil: fn(&mut CreateFixture, &mut Value),
    pub(super) told: Told,
}

const fn case(rule: u8, what: &'static str, spoil: fn(&mut CreateFixture, &mut Value), told: Told) -> Case {
    Case { rule, what, spoil, told }
}

/// Leaves a field out.
pub(super) fn leave_out(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name);
}

/// The first detail.
pub(super) fn detail(body: &mut Value) -> &mut Value {
    &mut body["details"][0]
}

const YESTERDAY: CivilDate = CivilDate::constant(2026, 1, 30);
const TODAY: CivilDate = CivilDate::constant(2026, 1, 31);

const NO_ENTITY: Told = Told::Conflict("client_id refers to legal entity that is not active");
const NOT_THE_USERS: Told =
    Told::Refused(&[("$.performer", "User is not allowed to create device dispense for the performer")]);
const PERFORMER_NOT_ACTIVE: Told = Told::Refused(&[("$.performer", "Employee is not active")]);
const PERFORMER_ENDS: Told = Told::Refused(&[("$.performer", "end_date must be in future")]);
const NO_DIVISION: Told = Told::ConflictAt("$.location", "Division not found");
const DIVISION_NOT_ACTIVE: Told = Told::ConflictAt("$.location", "Division is not active");
const NO_REQUEST: Told = Told::Refused(&[("$.based_on", "Device request not found")]);
const PROGRAM_MISMATCH: Told =
    Told::ConflictAt("$.program", "Program in dispense doesn't match the one in device request");
const UNKNOWN_REQUEST: Case =
    case(14, "no such request", |_, body| body["based_on"] = given("device_request", fresh()), NO_REQUEST);
const ANOTHER_IN_PROGRESS: Case = case(
    21,
    "another in progress",
    |it, _| it.earlier.push(it.dispense(DispenseStatus::InProgress)),
    OTHER_ACTIVE,
);

/// Who dispenses to whom, and where: rules 4 to 13, and the next.
pub(super) const PEOPLE: [Case; 18] = [
    case(
        4,
        "suspended",
        |it, _| it.records.legal_entity.facts.status = LegalEntityStatus::Suspended,
        NO_ENTITY,
    ),
    case(5, "no such patient", |it, _| it.patient = PatientId::new(fresh()), Told::NotFound),
    case(
        6,
        "inactive patient",
        |it, _| it.records.person.facts.status = PersonStatus::Inactive,
        Told::Conflict("Patient is not active"),
    ),
    case(
        6,
        "unverified patient",
        |it, _| it.records.person.facts.verification = VerificationStatus::NotVerified,
        Told::Conflict("Patient is not verified"),
    ),
    case(7, "another user's post", |it, _| it.records.party.users = vec![user()], NOT_THE_USERS),
    case(7, "no such post", |_, body| body["performer"] = given("employee", fresh()), NOT_THE_USERS),
    case(8, "inactive post", |it, _| it.records.employee.facts.is_active = false, PERFORMER_NOT_ACTIVE),
    case(
        8,
        "new post",
        |it, _| "NEW".clone_into(&mut it.records.employee.facts.status),
        PERFORMER_NOT_ACTIVE,
    ),
    case(8, "post ends today", |it, _| it.records.employee.facts.end_date = Some(TODAY), PERFORMER_ENDS),
    case(8, "post has ended", |it, _| it.records.employee.facts.end_date = Some(YESTERDAY), PERFORMER_ENDS),
    case(
        9,
        "post elsewhere",
        |it, _| it.records.employee.facts.legal_entity = it.another.facts.id,
        Told::Refused(&[("$.performer", "Employee does not belong to legal entity from token")]),
    ),
    case(10, "no such division", |_, body| body["location"] = given("division", fresh()), NO_DIVISION),
    case(11, "inactive division", |it, _| it.records.division.facts.is_active = false, DIVISION_NOT_ACTIVE),
    case(
        11,
        "division in status INACTIVE",
        |it, _| it.records.division.status = DivisionStatus::Inactive,
        DIVISION_NOT_ACTIVE,
    ),
    case(
        12,
        "division of another",
        |it, _| it.records.division.facts.legal_entity = it.another.facts.id,
        Told::ConflictAt("$.location", "Division does not belong to user's legal entity"),
    ),
    case(
        13,
        "never verified in DLS",
        |it, _| it.records.division.dls_verified = None,
        Told::ConflictAt("$.location", "Division is not verified in DLS"),
    ),
    case(
        13,
        "not verified in DLS",
        |it, _| it.records.division.dls_verified = Some(false),
        Told::ConflictAt("$.location", "Division is not verified in DLS"),
    ),
    UNKNOWN_REQUEST,
];

/// The request and its program: rules 14 to 21.
pub(super) const REQUEST: [Case; 18] = [
    UNKNOWN_REQUEST,
    case(
        14,
        "request of another patient",
        |it, _| it.request.facts.subject = Pseudonym::new(fresh().simple().to_string()),
        NO_REQUEST,
    ),
    case(
        15,
        "a plan",
        |it, _| "plan".clone_into(&mut it.request.facts.intent),
        Told::ConflictAt("$.based_on", "Only device request with intent = 'order' can be dispensed"),
    ),
    case(16, "revoked", |it, _| it.request.facts.status = DeviceRequestStatus::Revoked, NOT_ACTIVE),
    case(16, "completed", |it, _| it.request.facts.status = DeviceRequestStatus::Completed, NOT_ACTIVE),
    case(16, "in error", |it, _| it.request.facts.status = DeviceRequestStatus::EnteredInError, NOT_ACTIVE),
    case(17, "ended yesterday", |it, _| it.request.facts.dispense_valid_to = YESTERDAY, EXPIRED),
    case(18, "a request without program", |it, _| it.request.facts.program = None, PROGRAM_MISMATCH),
    case(
        18,
        "a request of another program",
        |it, _| it.request.facts.program = Some(MedicalProgramId::new(fresh())),
        PROGRAM_MISMATCH,
    ),
    case(18, "a dispense without program", |_, body| leave_out(body, "program"), PROGRAM_MISMATCH),
    case(19, "inactive program", |it, _| it.records.program.facts.is_active = false, NOT_QUALIFIED),
    case(19, "inactive program device", |it, _| it.records.device.facts.is_active = false, NOT_QUALIFIED),
    case(
        19,
        "too many a day",
        |it, _| it.records.device.facts.max_daily_count = "3.33".parse().ok(),
        NOT_QUALIFIED,
    ),
    case(19, "inactive device", |it, _| it.records.definition.facts.is_active = false, NOT_QUALIFIED),
    case(
        19,
        "another device is requested",
        |it, _| it.request.facts.device = RequestedDevice::Type("needles".to_owned()),
        NOT_QUALIFIED,
    ),
    case(
        19,
        "no whole packages",
        |it, _| it.records.definition.facts.packaging_count = 30.into(),
        NOT_QUALIFIED,
    ),
    case(
        20,
        "the id is taken",
        |it, body| {
            let mut taken = it.dispense(DispenseStatus::Stopped);
            taken.id = body["id"].as_str().unwrap().parse().unwrap();
            it.earlier.push(taken);
        },
        ID_TAKEN,
    ),
    ANOTHER_IN_PROGRESS,
];
