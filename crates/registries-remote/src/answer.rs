//! What a registry answers, and whether it answers what was asked.

use std::collections::BTreeMap;

use esoz_https::{Answer, RequestError};
use esoz_import::{ImportContext, JsonRecord, LineError};
use esoz_kernel::json::{self, JsonErrorKind};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, DeviceDefinitionRecord, ProgramDevice, ProgramDeviceRecord,
};
use hyper::StatusCode;
use serde_json::{Map, Value};

use crate::error::LookupError;

const DEVICES: &str = "program_devices";
const DEFINITIONS: &str = "device_definitions";

/// Reads the `data` of an answer; `None` when it says that nothing is there.
pub(crate) fn data(answer: &Answer) -> Result<Option<Map<String, Value>>, LookupError> {
    match answer.status() {
        StatusCode::OK => match envelope(answer)?.remove("data") {
            Some(Value::Object(data)) => Ok(Some(data)),
            _ => Err(LookupError::answer("has no object `data`")),
        },
        // A page is that of a server which has no such path: it knows nothing of the registry.
        StatusCode::NOT_FOUND => envelope(answer).map(|_| None),
        status => Err(RequestError::status(status).into()),
    }
}

fn envelope(answer: &Answer) -> Result<Map<String, Value>, LookupError> {
    let text = std::str::from_utf8(answer.body()).map_err(|_| RequestError::NotJson)?;
    match json::read(text) {
        Ok(Value::Object(envelope)) => Ok(envelope),
        Ok(_) => Err(LookupError::answer("is no object")),
        Err(error) if error.kind == JsonErrorKind::Syntax => Err(RequestError::NotJson.into()),
        Err(error) => Err(LineError::from(error).into()),
    }
}

/// Reads the record of an answer, if it is about what was asked.
pub(crate) fn record<R: JsonRecord>(
    data: &Map<String, Value>,
    context: &ImportContext<'_>,
    is_asked: impl FnOnce(&R) -> bool,
) -> Result<R, LookupError> {
    let record = R::from_json(data, context)?;
    if is_asked(&record) { Ok(record) } else { Err(LookupError::answer("is about something else")) }
}

/// Reads program devices that were chosen, each with its definition, in ascending order of their ids.
pub(crate) fn devices(
    data: &Map<String, Value>,
    choice: &DeviceChoice,
    context: &ImportContext<'_>,
) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, LookupError> {
    let mut definitions = BTreeMap::new();
    for DeviceDefinitionRecord { facts, .. } in list(data, DEFINITIONS, context)? {
        if definitions.insert(facts.id, facts).is_some() {
            return Err(LookupError::answer("has a device definition twice"));
        }
    }
    let mut devices = BTreeMap::new();
    for ProgramDeviceRecord { facts: device, .. } in list(data, DEVICES, context)? {
        let Some(definition) = definitions.get(&device.device_definition) else {
            return Err(LookupError::answer("has a program device without its definition"));
        };
        if !choice.includes(&device, definition) {
            return Err(LookupError::answer("has a program device that was not asked for"));
        }
        if devices.insert(device.id, (device, definition.clone())).is_some() {
            return Err(LookupError::answer("has a program device twice"));
        }
    }
    Ok(devices.into_values().collect())
}

fn list<R: JsonRecord>(
    data: &Map<String, Value>,
    list: &'static str,
    context: &ImportContext<'_>,
) -> Result<Vec<R>, LookupError> {
    let Some(Value::Array(items)) = data.get(list) else {
        return Err(LookupError::answer("lacks one of the lists `program_devices` and `device_definitions`"));
    };
    let read = |(index, item): (usize, &Value)| {
        let Value::Object(fields) = item else {
            return Err(LookupError::answer("has an item that is no object"));
        };
        R::from_json(fields, context).map_err(|source| LookupError::Item { list, index, source })
    };
    items.iter().enumerate().map(read).collect()
}
