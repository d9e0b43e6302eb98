//! The patient of a line: the id, or the pseudonym in its place.

use esoz_device_dispense::{InvalidPseudonym, PatientPseudonyms, Pseudonym};
use esoz_kernel::PatientId;
use serde_json::{Map, Value};

use super::field::{LineField, LineFieldKind};
use crate::json::{DecodeError, optional, parsed, required, string};
use crate::{ImportContext, PseudonymousLines};

/// The pseudonym in the place of a patient, under the name that stores have for it.
pub(super) const SUBJECT: &str = "subject";

/// The fields of a line's patient, under that name, and of the pseudonym in the patient's place.
pub(super) const fn line_fields(patient: &'static str) -> [LineField; 2] {
    [
        LineField::or(
            SUBJECT,
            patient,
            LineFieldKind::Uuid,
            "The patient. A pseudonym is stored in its place.",
        ),
        LineField::or(
            patient,
            SUBJECT,
            LineFieldKind::Text,
            "The patient's pseudonym. With `--pseudonymous` only.",
        ),
    ]
}

/// The pseudonym of a line's patient, and the patient, as far as the line or the pseudonym tells. `field` is where a line has the patient.
pub(super) fn read(
    given: &Map<String, Value>,
    field: &str,
    context: &ImportContext<'_>,
) -> Result<(Pseudonym, Option<PatientId>), DecodeError> {
    let Some(pseudonym) = optional(given, SUBJECT, string)? else {
        let patient = required(given, field, parsed)?;
        return Ok((context.pseudonyms.of(patient), Some(patient)));
    };
    if context.pseudonymous_lines == PseudonymousLines::Refuse {
        return Err(DecodeError::new(format_args!(
            "has a pseudonym in the place of {field}; with --pseudonymous it is taken"
        ))
        .inside(SUBJECT));
    }
    if given.contains_key(field) {
        return Err(DecodeError::new(format_args!("must have either {field} or {SUBJECT}, and not both")));
    }
    let pseudonym = Pseudonym::new(pseudonym);
    let patient = context.pseudonyms.patient(&pseudonym).map_err(|InvalidPseudonym| {
        DecodeError::new("is not a pseudonym of the configured scheme").inside(SUBJECT)
    })?;
    Ok((pseudonym, patient))
}

/// Writes the patient, in `field`, if the scheme is reversible, otherwise the pseudonym.
///
/// # Errors
/// When it is no pseudonym of the scheme.
pub(super) fn write(
    data: &mut Map<String, Value>,
    field: &str,
    pseudonym: &Pseudonym,
    pseudonyms: &dyn PatientPseudonyms,
) -> Result<(), InvalidPseudonym> {
    match pseudonyms.patient(pseudonym)? {
        Some(patient) => data.insert(field.to_owned(), patient.uuid().to_string().into()),
        None => data.insert(SUBJECT.to_owned(), pseudonym.expose().into()),
    };
    Ok(())
}
