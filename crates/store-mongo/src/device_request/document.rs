//! Maps a device request to its stored document and back. Strict: rules read every field.

use bson::{Bson, Document, RawBsonRef, RawDocument, doc};
use esoz_device_dispense::{
    DeviceRequest, DeviceRequestRecord, DeviceRequestStatus, OccurrencePeriod, RequestedDevice,
    RequestedQuantity, VerificationCode,
};
use esoz_kernel::{
    CivilDate, Decimal, DeviceDefinitionId, DeviceRequestId, MedicalProgramId, Pseudonym, Stamps, StoreError,
    Timestamp, UserId, Uuid,
};

use crate::{
    fields::{
        CODE, CODE_REFERENCE, DISPENSE_VALID_TO, ID, INSERTED_AT, INSERTED_BY, INTENT, OCCURRENCE_PERIOD,
        PERIOD_END, PERIOD_START, PROGRAM, QUANTITY, QUANTITY_CODE, QUANTITY_VALUE, REQUESTS, STATUS,
        SUBJECT, UPDATED_AT, UPDATED_BY, VALUE, VERIFICATION_CODE, WRONG_CODES,
    },
    values::{binary, millis, stored_uuid, text, time, uuid},
};

/// Decodes what rules read of a stored request.
pub(crate) fn to_request(document: &RawDocument) -> Result<DeviceRequest, StoreError> {
    let fields = Fields::of(document)?;
    Ok(DeviceRequest {
        id: DeviceRequestId::new(fields.id),
        subject: Pseudonym::new(fields.needed(SUBJECT, text(document, SUBJECT))?),
        status: fields.needed(STATUS, text(document, STATUS).and_then(|word| word.parse().ok()))?,
        intent: fields.needed(INTENT, text(document, INTENT))?.to_owned(),
        program: fields.optional(PROGRAM, stored_uuid)?.map(MedicalProgramId::new),
        device: fields.device()?,
        quantity: fields.quantity()?,
        occurrence_period: fields.optional(OCCURRENCE_PERIOD, period)?,
        dispense_valid_to: fields.needed(DISPENSE_VALID_TO, day(document, DISPENSE_VALID_TO))?,
        verification_code: fields
            .optional(VERIFICATION_CODE, |value| VerificationCode::parse(value.as_str()?))?,
    })
}

/// Decodes an entry of a scan.
pub(crate) fn to_record(document: &RawDocument) -> Result<DeviceRequestRecord, StoreError> {
    let (facts, fields) = (to_request(document)?, Fields::of(document)?);
    let user = |field| fields.optional(field, stored_uuid).map(|user| user.map(UserId::new));
    Ok(DeviceRequestRecord {
        facts,
        stamps: Stamps {
            inserted_at: fields.needed(INSERTED_AT, time(document, INSERTED_AT))?,
            inserted_by: fields.needed(INSERTED_BY, user(INSERTED_BY)?)?,
            updated_at: fields.needed(UPDATED_AT, time(document, UPDATED_AT))?,
            updated_by: fields.needed(UPDATED_BY, user(UPDATED_BY)?)?,
        },
    })
}

/// Decodes the times of the wrong codes that were given for a request.
pub(crate) fn wrong_codes(document: &RawDocument) -> Result<Vec<Timestamp>, StoreError> {
    let fields = Fields::of(document)?;
    let times = fields.optional(WRONG_CODES, |value| {
        let times = value.as_array()?.into_iter();
        let time =
            |value: RawBsonRef<'_>| Timestamp::from_millisecond(value.as_datetime()?.timestamp_millis()).ok();
        times.map(|value| time(value.ok()?)).collect::<Option<Vec<_>>>()
    });
    times.map(Option::unwrap_or_default)
}

/// The update that makes a document that of the record, one that is not there yet included. Fields that it does not know stay.
pub(crate) fn upsert(record: &DeviceRequestRecord) -> Document {
    let DeviceRequestRecord { facts, stamps } = record;
    let (code, code_reference) = match &facts.device {
        RequestedDevice::Type(code) => (Some(code.as_str().into()), None),
        RequestedDevice::Definition(id) => (None, Some(binary(id.uuid()))),
    };
    let quantity = facts
        .quantity
        .as_ref()
        .map(|quantity| doc! { VALUE: decimal(&quantity.value), CODE: &quantity.code });
    let period = facts
        .occurrence_period
        .map(|period| doc! { PERIOD_START: period.start.to_string(), PERIOD_END: period.end.to_string() });
    let mut set = doc! {
        SUBJECT: facts.subject.expose(),
        STATUS: facts.status.as_str(),
        INTENT: &facts.intent,
        DISPENSE_VALID_TO: facts.dispense_valid_to.to_string(),
        UPDATED_AT: millis(stamps.updated_at),
        UPDATED_BY: binary(stamps.updated_by.uuid()),
    };
    let mut unset = Document::new();
    for (field, value) in [
        (PROGRAM, facts.program.map(|program| binary(program.uuid()))),
        (CODE, code),
        (CODE_REFERENCE, code_reference),
        (QUANTITY, quantity.map(Bson::from)),
        (OCCURRENCE_PERIOD, period.map(Bson::from)),
        (VERIFICATION_CODE, facts.verification_code.as_ref().map(|code| code.expose().into())),
    ] {
        match value {
            Some(value) => set.insert(field, value),
            None => unset.insert(field, ""),
        };
    }
    let inserted =
        doc! { INSERTED_AT: millis(stamps.inserted_at), INSERTED_BY: binary(stamps.inserted_by.uuid()) };
    let mut update = doc! { "$set": set, "$setOnInsert": inserted };
    if !unset.is_empty() {
        update.insert("$unset", unset);
    }
    update
}

/// The fields of a stored request.
struct Fields<'a> {
    document: &'a RawDocument,
    id: Uuid,
}

impl<'a> Fields<'a> {
    fn of(document: &'a RawDocument) -> Result<Self, StoreError> {
        let id = uuid(document, ID).ok_or_else(|| StoreError::corrupt(REQUESTS, "(no UUID)", ID))?;
        Ok(Self { document, id })
    }

    fn corrupt(&self, field: &str) -> StoreError {
        StoreError::corrupt(REQUESTS, self.id, field)
    }

    fn needed<T>(&self, field: &str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(field))
    }

    /// The value of a field that may be absent or null.
    fn optional<T>(
        &self,
        field: &str,
        decode: impl FnOnce(RawBsonRef<'a>) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.document.get(field) {
            Ok(None | Some(RawBsonRef::Null)) => Ok(None),
            Ok(Some(value)) => decode(value).map(Some).ok_or_else(|| self.corrupt(field)),
            Err(_) => Err(self.corrupt(field)),
        }
    }

    /// Either the type or the definition, not both.
    fn device(&self) -> Result<RequestedDevice, StoreError> {
        let code = self.optional(CODE, |value| Some(RequestedDevice::Type(value.as_str()?.to_owned())))?;
        let reference = self.optional(CODE_REFERENCE, |value| {
            Some(RequestedDevice::Definition(DeviceDefinitionId::new(stored_uuid(value)?)))
        })?;
        match (code, reference) {
            (Some(device), None) | (None, Some(device)) => Ok(device),
            (None, None) => Err(self.corrupt(CODE)),
            (Some(_), Some(_)) => Err(self.corrupt(CODE_REFERENCE)),
        }
    }

    fn quantity(&self) -> Result<Option<RequestedQuantity>, StoreError> {
        let Some(quantity) = self.optional(QUANTITY, RawBsonRef::as_document)? else { return Ok(None) };
        let value = quantity.get(VALUE).ok().flatten().and_then(number);
        let value = value.filter(|value| !value.is_negative() && !value.is_zero());
        Ok(Some(RequestedQuantity {
            value: self.needed(QUANTITY_VALUE, value)?,
            code: self.needed(QUANTITY_CODE, text(quantity, CODE))?.to_owned(),
        }))
    }
}

fn period(value: RawBsonRef<'_>) -> Option<OccurrencePeriod> {
    let period = value.as_document()?;
    Some(OccurrencePeriod { start: day(period, PERIOD_START)?, end: day(period, PERIOD_END)? })
}

/// A day as YYYY-MM-DD and in no other form.
fn day(document: &RawDocument, field: &str) -> Option<CivilDate> {
    let text = text(document, field)?;
    text.parse::<CivilDate>().ok().filter(|day| day.to_string() == text)
}

/// Decodes a number of whatever type with every digit.
fn number(value: RawBsonRef<'_>) -> Option<Decimal> {
    match value {
        RawBsonRef::Decimal128(number) => number.to_string().parse().ok(),
        RawBsonRef::String(text) => text.parse().ok(),
        RawBsonRef::Int32(number) => number.to_string().parse().ok(),
        RawBsonRef::Int64(number) => number.to_string().parse().ok(),
        RawBsonRef::Double(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// Encodes a number: as one when it keeps every digit, else as text.
fn decimal(number: &Decimal) -> Bson {
    let text = number.to_string();
    let stored = text.parse::<bson::Decimal128>().ok();
    let is_exact = |stored: &bson::Decimal128| stored.to_string().parse().as_ref() == Ok(number);
    stored.filter(is_exact).map_or_else(|| text.into(), Bson::Decimal128)
}

/// The status of a request that was dispensed.
pub(crate) const COMPLETED: &str = DeviceRequestStatus::Completed.as_str();

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
