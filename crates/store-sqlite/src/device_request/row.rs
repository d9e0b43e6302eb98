use diesel::prelude::*;
use esoz_device_dispense::{
    DeviceRequest, DeviceRequestRecord, OccurrencePeriod, Pseudonym, RequestedDevice, RequestedQuantity,
    VerificationCode,
};
use esoz_kernel::StoreError;
use esoz_kernel::time::rfc3339_millis;

use crate::rows::Location;
use crate::schema::device_requests;

const TABLE: &str = "device_requests";

/// A device request as its row. Times have three decimals.
#[derive(Clone, PartialEq, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = device_requests, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct RequestRow {
    pub(super) id: String,
    subject: String,
    pub(super) status: String,
    intent: String,
    program_id: Option<String>,
    code: Option<String>,
    code_reference: Option<String>,
    quantity_value: Option<String>,
    quantity_code: Option<String>,
    occurrence_start: Option<String>,
    occurrence_end: Option<String>,
    dispense_valid_to: String,
    verification_code: Option<String>,
    #[diesel(skip_update)]
    pub(super) inserted_at: String,
    #[diesel(skip_update)]
    pub(super) inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&DeviceRequestRecord> for RequestRow {
    fn from(record: &DeviceRequestRecord) -> Self {
        let DeviceRequestRecord { facts, stamps } = record;
        let (code, code_reference) = match &facts.device {
            RequestedDevice::Type(code) => (Some(code.clone()), None),
            RequestedDevice::Definition(id) => (None, Some(id.to_string())),
        };
        let quantity = facts.quantity.as_ref();
        Self {
            id: facts.id.to_string(),
            subject: facts.subject.expose().to_owned(),
            status: facts.status.as_str().to_owned(),
            intent: facts.intent.clone(),
            program_id: facts.program.map(|program| program.to_string()),
            code,
            code_reference,
            quantity_value: quantity.map(|quantity| quantity.value.to_string()),
            quantity_code: quantity.map(|quantity| quantity.code.clone()),
            occurrence_start: facts.occurrence_period.map(|period| period.start.to_string()),
            occurrence_end: facts.occurrence_period.map(|period| period.end.to_string()),
            dispense_valid_to: facts.dispense_valid_to.to_string(),
            verification_code: facts.verification_code.as_ref().map(VerificationCode::expose),
            inserted_at: rfc3339_millis(stamps.inserted_at),
            inserted_by: stamps.inserted_by.to_string(),
            updated_at: rfc3339_millis(stamps.updated_at),
            updated_by: stamps.updated_by.to_string(),
        }
    }
}

impl RequestRow {
    const fn location(&self) -> Location<'_> {
        Location { table: TABLE, id: self.id.as_str() }
    }

    pub(super) fn record(&self) -> Result<DeviceRequestRecord, StoreError> {
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        let stamps = self.location().stamps(stamps.map(String::as_str))?;
        Ok(DeviceRequestRecord { facts: self.facts()?, stamps })
    }

    pub(crate) fn facts(&self) -> Result<DeviceRequest, StoreError> {
        let location = self.location();
        let program = self.program_id.as_deref().map(|id| location.parse("program_id", id));
        let code = self
            .verification_code
            .as_deref()
            .map(|code| VerificationCode::parse(code).ok_or_else(|| location.corrupt("verification_code")));
        Ok(DeviceRequest {
            id: location.parse("id", &self.id)?,
            subject: Pseudonym::new(&*self.subject),
            status: location.parse("status", &self.status)?,
            intent: self.intent.clone(),
            program: program.transpose()?,
            device: self.device()?,
            quantity: self.quantity()?,
            occurrence_period: self.occurrence_period()?,
            dispense_valid_to: location.parse("dispense_valid_to", &self.dispense_valid_to)?,
            verification_code: code.transpose()?,
        })
    }

    fn device(&self) -> Result<RequestedDevice, StoreError> {
        match (&self.code, &self.code_reference) {
            (Some(code), None) => Ok(RequestedDevice::Type(code.clone())),
            (None, Some(id)) => self.location().parse("code_reference", id).map(RequestedDevice::Definition),
            _ => Err(self.location().corrupt("code")),
        }
    }

    fn quantity(&self) -> Result<Option<RequestedQuantity>, StoreError> {
        match (&self.quantity_value, &self.quantity_code) {
            (Some(value), Some(code)) => {
                let value = self.location().parse("quantity_value", value)?;
                Ok(Some(RequestedQuantity { value, code: code.clone() }))
            }
            (None, None) => Ok(None),
            _ => Err(self.location().corrupt("quantity_value")),
        }
    }

    fn occurrence_period(&self) -> Result<Option<OccurrencePeriod>, StoreError> {
        let location = self.location();
        match (&self.occurrence_start, &self.occurrence_end) {
            (Some(start), Some(end)) => {
                let start = location.parse("occurrence_start", start)?;
                Ok(Some(OccurrencePeriod { start, end: location.parse("occurrence_end", end)? }))
            }
            (None, None) => Ok(None),
            _ => Err(location.corrupt("occurrence_start")),
        }
    }
}
