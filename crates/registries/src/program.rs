use esoz_kernel::{CivilDate, Decimal, DeviceDefinitionId, MedicalProgramId, ProgramDeviceId, Stamps};

/// The facts about a medical program that rules read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MedicalProgram {
    /// Whether it is active.
    pub is_active: bool,
    /// The name to show.
    pub name: String,
}

/// The whole record of a medical program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MedicalProgramRecord {
    /// Its id.
    pub id: MedicalProgramId,
    /// The facts that rules read.
    pub facts: MedicalProgram,
    /// Its type; which types there are is for the registry to say.
    pub kind: String,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}

/// What a program pays for one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reimbursement {
    /// So many hryvnias.
    Fixed(Decimal),
    /// So many percent of the price.
    Percentage(Decimal),
}

impl Reimbursement {
    /// The word of [`Reimbursement::Fixed`].
    pub const FIXED: &str = "FIXED";
    /// The word of [`Reimbursement::Percentage`].
    pub const PERCENTAGE: &str = "PERCENTAGE";

    /// Creates it from its word, and the amount or the percentage; `None` when the word is another, or the one that belongs to it is missing or
    /// there is the other one too.
    pub fn from_parts(word: &str, amount: Option<Decimal>, percentage: Option<Decimal>) -> Option<Self> {
        match (word, amount, percentage) {
            (Self::FIXED, Some(amount), None) => Some(Self::Fixed(amount)),
            (Self::PERCENTAGE, None, Some(percentage)) => Some(Self::Percentage(percentage)),
            _ => None,
        }
    }

    /// Takes it apart: its word, and the amount or the percentage.
    pub const fn parts(&self) -> (&'static str, Option<&Decimal>, Option<&Decimal>) {
        match self {
            Self::Fixed(amount) => (Self::FIXED, Some(amount), None),
            Self::Percentage(percentage) => (Self::PERCENTAGE, None, Some(percentage)),
        }
    }
}

/// The facts about a device in a program that rules read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramDevice {
    /// Its id.
    pub id: ProgramDeviceId,
    /// The program.
    pub program: MedicalProgramId,
    /// The device.
    pub device_definition: DeviceDefinitionId,
    /// Whether the record is active.
    pub is_active: bool,
    /// The first day on which it can be dispensed.
    pub start_date: CivilDate,
    /// The last one; `None`: without end.
    pub end_date: Option<CivilDate>,
    /// What the program pays for a package.
    pub reimbursement: Reimbursement,
    /// How much may be dispensed for a day; `None`: any amount.
    pub max_daily_count: Option<Decimal>,
}

impl ProgramDevice {
    /// Whether it can be dispensed on that day: it is active, and the day is within its period, both ends included.
    pub fn is_active_on(&self, day: CivilDate) -> bool {
        self.is_active && self.start_date <= day && self.end_date.is_none_or(|end| day <= end)
    }
}

/// The whole record of a program device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramDeviceRecord {
    /// The facts that rules read.
    pub facts: ProgramDevice,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}

#[cfg(test)]
mod tests {
    use esoz_kernel::Uuid;

    use super::*;

    #[test]
    fn given_a_period_then_both_ends_belong_to_it() {
        let day = |text: &str| -> CivilDate { text.parse().unwrap() };
        let mut device = ProgramDevice {
            id: ProgramDeviceId::new(Uuid::nil()),
            program: MedicalProgramId::new(Uuid::nil()),
            device_definition: DeviceDefinitionId::new(Uuid::nil()),
            is_active: true,
            start_date: day("2026-01-31"),
            end_date: Some(day("2026-02-28")),
            reimbursement: Reimbursement::Fixed(1.into()),
            max_daily_count: None,
        };
        let active = |device: &ProgramDevice| {
            ["2026-01-30", "2026-01-31", "2026-02-28", "2026-03-01"]
                .map(|text| device.is_active_on(day(text)))
        };
        assert_eq!(active(&device), [false, true, true, false]);
        device.end_date = None;
        assert_eq!(active(&device), [false, true, true, true]);
        device.is_active = false;
        assert_eq!(active(&device), [false; 4]);
    }

    #[test]
    fn given_a_reimbursement_then_its_parts_make_it_again_and_no_others_make_one() {
        let number = |number: u32| Some(Decimal::from(number));
        for one in [Reimbursement::Fixed(5.into()), Reimbursement::Percentage(0.into())] {
            let (word, amount, percentage) = one.parts();
            assert_eq!(Reimbursement::from_parts(word, amount.cloned(), percentage.cloned()), Some(one));
        }
        for (word, amount, percentage) in [
            ("FIXED", None, number(1)),
            ("FIXED", number(1), number(1)),
            ("PERCENTAGE", number(1), None),
            ("", number(1), None),
        ] {
            assert_eq!(Reimbursement::from_parts(word, amount, percentage), None);
        }
    }
}
