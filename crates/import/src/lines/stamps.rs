//! The four optional fields of every kind that say who wrote a record and when.

use esoz_kernel::time::{rfc3339_millis, to_micros};
use esoz_kernel::{Stamps, Timestamp, UserId};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::SYSTEM_USER;
use crate::json::{DecodeError, Parsed, Time, decode};

const FIELDS: [&str; 4] = ["inserted_at", "inserted_by", "updated_at", "updated_by"];

#[derive(Deserialize)]
struct StampsLine {
    inserted_at: Option<Time>,
    inserted_by: Option<Parsed<UserId>>,
    updated_at: Option<Time>,
    updated_by: Option<Parsed<UserId>>,
}

/// Removes the four fields from the data of a line; one that is absent or null becomes `now`, or the system user.
pub(super) fn take(data: &mut Value, now: Timestamp) -> Result<Stamps, DecodeError> {
    let taken: Map<String, Value> = data
        .as_object_mut()
        .map(|fields| FIELDS.iter().filter_map(|name| fields.remove_entry(*name)).collect())
        .unwrap_or_default();
    let taken = Value::Object(taken);
    let line: StampsLine = decode(&taken)?;
    let time = |given: Option<Time>| to_micros(given.map_or(now, |time| time.0));
    let user = |given: Option<Parsed<UserId>>| given.map_or(SYSTEM_USER, |user| user.0);
    Ok(Stamps {
        inserted_at: time(line.inserted_at),
        inserted_by: user(line.inserted_by),
        updated_at: time(line.updated_at),
        updated_by: user(line.updated_by),
    })
}

/// The four fields in the form that a dispense stores.
pub(super) fn fields(stamps: Stamps) -> Map<String, Value> {
    let Stamps { inserted_at, inserted_by, updated_at, updated_by } = stamps;
    let [inserted_at, updated_at] = [inserted_at, updated_at].map(rfc3339_millis);
    let [inserted_by, updated_by] = [inserted_by, updated_by].map(|user| user.to_string());
    let values = [inserted_at, inserted_by, updated_at, updated_by];
    FIELDS.map(str::to_owned).into_iter().zip(values.map(Value::String)).collect()
}
