//! The four optional fields of every kind that say who wrote a record and when.

use esoz_kernel::time::to_micros;
use esoz_kernel::{Stamps, Timestamp};
use serde_json::{Map, Value};

use super::field::{LineField, LineFieldKind};
use crate::SYSTEM_USER;
use crate::json::{DecodeError, optional, parsed, time};

pub(super) const FIELDS: [&str; 4] = ["inserted_at", "inserted_by", "updated_at", "updated_by"];

/// What they are.
pub(super) const LINE_FIELDS: [LineField; 4] = {
    let [inserted_at, inserted_by, updated_at, updated_by] = FIELDS;
    [
        LineField::optional(
            inserted_at,
            LineFieldKind::Time,
            "When it was recorded. Default: the time of the import.",
        ),
        LineField::optional(
            inserted_by,
            LineFieldKind::Uuid,
            "The user who recorded it. Default: the nil UUID.",
        ),
        LineField::optional(
            updated_at,
            LineFieldKind::Time,
            "When it was last changed. Default: the time of the import.",
        ),
        LineField::optional(
            updated_by,
            LineFieldKind::Uuid,
            "The user who last changed it. Default: the nil UUID.",
        ),
    ]
};

/// Reads the four fields; one that is absent or null becomes `now`, or the system user.
pub(super) fn read(data: &Map<String, Value>, now: Timestamp) -> Result<Stamps, DecodeError> {
    let at = |name| optional(data, name, time).map(|given| to_micros(given.unwrap_or(now)));
    let by = |name| optional(data, name, parsed).map(|given| given.unwrap_or(SYSTEM_USER));
    let [inserted_at, inserted_by, updated_at, updated_by] = FIELDS;
    Ok(Stamps {
        inserted_at: at(inserted_at)?,
        inserted_by: by(inserted_by)?,
        updated_at: at(updated_at)?,
        updated_by: by(updated_by)?,
    })
}

/// Writes the four fields.
pub(super) fn fields(stamps: Stamps, time: fn(Timestamp) -> String) -> Map<String, Value> {
    let Stamps { inserted_at, inserted_by, updated_at, updated_by } = stamps;
    let [inserted_at, updated_at] = [inserted_at, updated_at].map(time);
    let [inserted_by, updated_by] = [inserted_by, updated_by].map(|user| user.to_string());
    let values = [inserted_at, inserted_by, updated_at, updated_by];
    FIELDS.map(str::to_owned).into_iter().zip(values.map(Value::String)).collect()
}
