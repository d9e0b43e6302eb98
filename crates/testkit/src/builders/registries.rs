//! Records of the administrative registries.

use esoz_kernel::{
    CivilDate, Decimal, DeviceDefinitionId, EmployeeId, LegalEntityId, MedicalProgramId, PartyId,
    ProgramDeviceId, Pseudonym, UserId,
};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, DeviceDefinitionRecord, Employee, EmployeeRecord, MedicalProgram,
    MedicalProgramRecord, Party, PartyRecord, Person, PersonRecord, PersonStatus, ProgramDevice,
    ProgramDeviceRecord, Reimbursement, VerificationStatus,
};
use esoz_signed_content::DrfoDigest;

use super::{fresh, stamps};

/// An active, verified patient.
pub fn person() -> PersonRecord {
    PersonRecord {
        subject: Pseudonym::new(format!("{}{}", fresh().simple(), fresh().simple()).to_uppercase()),
        facts: Person { status: PersonStatus::Active, verification: VerificationStatus::Verified },
        stamps: stamps(),
    }
}

/// The party of those users.
pub fn party_of(users: impl IntoIterator<Item = UserId>) -> PartyRecord {
    let drfo = Some(DrfoDigest::new(format!("{}{}", fresh().simple(), fresh().simple())));
    let mut users: Vec<UserId> = users.into_iter().collect();
    users.sort_unstable();
    PartyRecord { facts: Party { id: PartyId::new(fresh()), drfo }, users, stamps: stamps() }
}

/// An approved employee: that party's post at that legal entity.
pub fn employee_of(party: PartyId, legal_entity: LegalEntityId) -> EmployeeRecord {
    let id = fresh();
    EmployeeRecord {
        facts: Employee {
            id: EmployeeId::new(id),
            party,
            legal_entity,
            status: Employee::APPROVED.to_owned(),
            is_active: true,
            end_date: None,
            name: format!("Pharmacist {id}"),
        },
        kind: "PHARMACIST".to_owned(),
        stamps: stamps(),
    }
}

/// An active medical program.
pub fn medical_program() -> MedicalProgramRecord {
    let id = fresh();
    MedicalProgramRecord {
        id: MedicalProgramId::new(id),
        facts: MedicalProgram { is_active: true, name: format!("Program {id}") },
        kind: "DEVICE".to_owned(),
        stamps: stamps(),
    }
}

/// An active device: test strips, 50 pieces a package.
pub fn device_definition() -> DeviceDefinitionRecord {
    let id = fresh();
    DeviceDefinitionRecord {
        facts: DeviceDefinition {
            id: DeviceDefinitionId::new(id),
            is_active: true,
            classification_type: "30221".to_owned(),
            packaging_unit: "piece".to_owned(),
            packaging_count: Decimal::from(50),
        },
        name: format!("Test strips {id}"),
        stamps: stamps(),
    }
}

/// That device in that program, for the year 2026; the program pays 100 for a package.
pub fn program_device_of(program: MedicalProgramId, definition: DeviceDefinitionId) -> ProgramDeviceRecord {
    ProgramDeviceRecord {
        facts: ProgramDevice {
            id: ProgramDeviceId::new(fresh()),
            program,
            device_definition: definition,
            is_active: true,
            start_date: CivilDate::constant(2026, 1, 1),
            end_date: Some(CivilDate::constant(2026, 12, 31)),
            reimbursement: Reimbursement::Fixed(Decimal::from(100)),
            max_daily_count: Some(Decimal::from(5)),
        },
        stamps: stamps(),
    }
}

/// The devices of that program that are of one of those definitions.
pub fn device_choice(
    program: MedicalProgramId,
    definitions: impl IntoIterator<Item = DeviceDefinitionId>,
) -> DeviceChoice {
    let definitions = definitions.into_iter().collect();
    DeviceChoice { program: Some(program), definitions, ..DeviceChoice::default() }
}
