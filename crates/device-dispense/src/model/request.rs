use std::fmt;

use esoz_kernel::{
    CivilDate, Decimal, DeviceDefinitionId, DeviceRequestId, MedicalProgramId, Pseudonym, words,
};
use subtle::ConstantTimeEq as _;

words! {
    /// The status of a device request.
    pub enum DeviceRequestStatus {
        /// It can be dispensed.
        Active = "active",
        /// It was dispensed.
        Completed = "completed",
        /// The doctor called it off.
        Revoked = "revoked",
        /// It was recorded by mistake.
        EnteredInError = "entered_in_error",
    }
}

impl DeviceRequestStatus {
    /// Whether a stored request of this status stays as it is when a file says `imported`: what was dispensed is not opened again by loading the
    /// file from which it came (docs/adr/0005).
    pub fn outlasts(self, imported: Self) -> bool {
        self == Self::Completed && imported == Self::Active
    }
}

/// What a device request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedDevice {
    /// Any device of this classification type (`code`).
    Type(String),
    /// This device (`code_reference`).
    Definition(DeviceDefinitionId),
}

/// How much a device request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedQuantity {
    /// How many units; above zero.
    pub value: Decimal,
    /// The code of the unit.
    pub code: String,
}

/// The days for which a device request is meant (`occurrence_period`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OccurrencePeriod {
    /// The first day.
    pub start: CivilDate,
    /// The last day.
    pub end: CivilDate,
}

impl OccurrencePeriod {
    /// Returns its length in days, at least 1 (create rule 28).
    pub fn days(self) -> u32 {
        let days = self.end.since(self.start).map_or(0, |span| span.get_days());
        u32::try_from(days).unwrap_or(0).max(1)
    }
}

/// A code of four digits that a patient gives to whom may dispense. Compared in constant time; `Debug` hides it.
#[derive(Clone)]
pub struct VerificationCode([u8; 4]);

impl VerificationCode {
    /// Parses four ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 4] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    /// Returns the digits, to store them with the request.
    pub fn expose(&self) -> String {
        self.0.map(char::from).into_iter().collect()
    }
}

impl PartialEq for VerificationCode {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for VerificationCode {}

impl fmt::Debug for VerificationCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VerificationCode(…)")
    }
}

/// A device request: what a doctor prescribes, as the rules of a dispense read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Its id.
    pub id: DeviceRequestId,
    /// The pseudonym of its patient.
    pub subject: Pseudonym,
    /// Its status.
    pub status: DeviceRequestStatus,
    /// Its intent; [`DeviceRequest::ORDER`] is the one that can be dispensed.
    pub intent: String,
    /// The medical program that pays, if there is one.
    pub program: Option<MedicalProgramId>,
    /// What it asks for.
    pub device: RequestedDevice,
    /// How much it asks for; `None`: any amount, any number of times.
    pub quantity: Option<RequestedQuantity>,
    /// The days for which it is meant.
    pub occurrence_period: Option<OccurrencePeriod>,
    /// The last day on which it can be dispensed, in Ukraine.
    pub dispense_valid_to: CivilDate,
    /// The code that the patient must give, if there is one.
    pub verification_code: Option<VerificationCode>,
}

impl DeviceRequest {
    /// The intent of a request that can be dispensed.
    pub const ORDER: &str = "order";

    /// Returns how much of it is meant for a day; `None` when it does not say (create rule 28).
    fn daily(&self) -> Option<(&Decimal, Decimal)> {
        Some((&self.quantity.as_ref()?.value, self.occurrence_period?.days().into()))
    }

    /// Whether that much a day is within a program's limit; without a limit, a quantity or a period it is.
    pub(crate) fn keeps_daily_limit(&self, max_daily_count: Option<&Decimal>) -> bool {
        self.daily().zip(max_daily_count).is_none_or(|((quantity, days), most)| *quantity <= most * &days)
    }

    /// Whether the unit is the one that it asks for; without a quantity any is.
    pub(crate) fn is_of_unit(&self, code: &str) -> bool {
        self.quantity.as_ref().is_none_or(|quantity| quantity.code == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_a_day_at_least() {
        let days = |start: &str, end: &str| {
            OccurrencePeriod { start: start.parse().unwrap(), end: end.parse().unwrap() }.days()
        };
        assert_eq!(days("2026-01-01", "2026-01-31"), 30);
        assert_eq!(days("2026-02-28", "2026-03-01"), 1);
        assert_eq!(days("2025-12-31", "2026-12-31"), 365);
        assert_eq!(days("2026-01-01", "2026-01-01"), 1);
        assert_eq!(days("2026-01-02", "2026-01-01"), 1);
    }

    #[test]
    fn a_code_is_four_digits_and_hidden() {
        let code = VerificationCode::parse("0420").unwrap();
        assert_eq!(code.expose(), "0420");
        assert_eq!(format!("{code:?}"), "VerificationCode(…)");
        assert_ne!(Some(code), VerificationCode::parse("0421"));
        for text in ["", "042", "04200", "042a", "٠٤٢٠", " 420"] {
            assert_eq!(VerificationCode::parse(text), None, "{text}");
        }
    }
}
