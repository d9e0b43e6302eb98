//! The shape of a body whose objects stand in each other: one table that checks it and describes it. All faults are told at once, by their paths.

use esoz_kernel::json::{JsonError, JsonErrorKind};
use esoz_kernel::{Decimal, Timestamp, parse_uuid};
use serde_json::{Map, Value};

use super::body::{SYNTAX, json_path, utf8};
use crate::envelope::Invalid;
use crate::error::ApiError;

/// A field of an object.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it must be there. Null is never "not there".
    pub(crate) is_required: bool,
    /// What it means, for the description.
    pub(crate) meaning: &'static str,
}

impl Field {
    pub(crate) const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self { name, kind, is_required: true, meaning }
    }

    pub(crate) const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self { name, kind, is_required: false, meaning }
    }
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A UUID.
    Uuid,
    /// A text of at most so many characters.
    Text(usize),
    /// So many digits.
    Digits(usize),
    /// True or false.
    Boolean,
    /// An ISO 8601 date and time; without an offset it is in UTC.
    Time,
    /// A number.
    Number(Range),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A code of the dictionary of units, which is configured.
    Unit,
    /// An object with these fields.
    Object(&'static Shape),
    /// A list of objects, at least one and at most so many.
    List(&'static Shape, usize),
}

/// The numbers that a field takes: of at most [`Decimal::MAX_WHOLE_DIGITS`] digits before the point.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    /// Whether zero is one of them.
    pub(crate) has_zero: bool,
    /// The most digits after the point.
    pub(crate) decimals: u64,
}

/// The shape of an object.
pub(crate) struct Shape {
    /// Its name in the description.
    pub(crate) name: &'static str,
    /// What it is, for the description.
    pub(crate) meaning: &'static str,
    pub(crate) fields: &'static [Field],
    /// The fields of which exactly one must be there.
    pub(crate) alternatives: &'static [&'static str],
}

/// Reads a body of that shape. Syntax comes first: a body that is no JSON is malformed, whatever else is wrong with it.
///
/// # Errors
/// 400 for what is no JSON; 422 with every fault.
pub(crate) fn read(
    bytes: &[u8],
    shape: &Shape,
    units: &dyn Fn(&str) -> bool,
) -> Result<Map<String, Value>, ApiError> {
    let (value, rounded) = esoz_kernel::json::read_reporting_numbers(utf8(bytes)?).map_err(unreadable)?;
    let Value::Object(fields) = value else {
        return Err(ApiError::invalid(vec![Invalid::property(
            "$",
            "schema",
            "type mismatch. Expected an object",
        )]));
    };
    let mut check = Check { faults: rounded.into_iter().map(too_many_digits).collect(), units };
    check.object("$", &fields, shape);
    if check.faults.is_empty() { Ok(fields) } else { Err(ApiError::invalid(check.faults)) }
}

/// The answer to a body that cannot be read.
pub(crate) fn unreadable(error: JsonError) -> ApiError {
    match error.kind {
        JsonErrorKind::Syntax => ApiError::malformed().with_reason(SYNTAX),
        JsonErrorKind::Duplicate => ApiError::malformed().with_reason("duplicate_property"),
        JsonErrorKind::Depth => ApiError::malformed().with_reason("too_deep"),
        JsonErrorKind::Number => ApiError::invalid(vec![too_many_digits(error)]),
    }
}

fn too_many_digits(error: JsonError) -> Invalid {
    Invalid::property(error.path, "number", "has more digits than can be kept")
}

struct Check<'a> {
    faults: Vec<Invalid>,
    units: &'a dyn Fn(&str) -> bool,
}

impl Check<'_> {
    fn fault(&mut self, path: &str, rule: &str, description: impl Into<String>) {
        self.faults.push(Invalid::property(path, rule, description));
    }

    fn object(&mut self, path: &str, fields: &Map<String, Value>, shape: &Shape) {
        for field in shape.fields {
            let path = format!("{path}.{}", field.name);
            match fields.get(field.name) {
                Some(value) => self.value(&path, value, field.kind),
                None if field.is_required => {
                    self.fault(
                        &path,
                        "required",
                        format!("required property {} was not present", field.name),
                    );
                }
                None => {}
            }
        }
        let given = shape.alternatives.iter().filter(|name| fields.contains_key(**name)).count();
        if !shape.alternatives.is_empty() && given != 1 {
            let names = shape.alternatives.join(" and ");
            self.fault(path, "schema", format!("exactly one of {names} must be present"));
        }
        for name in fields.keys().filter(|name| shape.fields.iter().all(|field| field.name != **name)) {
            // `$` stands for the object here.
            let entry = json_path(name).replacen('$', path, 1);
            self.fault(&entry, "schema", "schema does not allow additional properties");
        }
    }

    fn value(&mut self, path: &str, value: &Value, kind: Kind) {
        match (kind, value) {
            (Kind::Object(shape), Value::Object(fields)) => self.object(path, fields, shape),
            (Kind::List(shape, most), Value::Array(items)) => {
                if items.is_empty() || items.len() > most {
                    self.fault(path, "length", format!("expected 1 to {most} items"));
                    return;
                }
                for (place, item) in items.iter().enumerate() {
                    self.value(&format!("{path}[{place}]"), item, Kind::Object(shape));
                }
            }
            (Kind::Number(range), Value::Number(number)) => self.number(path, number, range),
            (Kind::Boolean, Value::Bool(_)) => {}
            // A number that would be rounded.
            (_, Value::Null) if self.faults.iter().any(|fault| fault.entry == path) => {}
            (
                Kind::Uuid | Kind::Text(_) | Kind::Digits(_) | Kind::Time | Kind::Word(_) | Kind::Unit,
                Value::String(text),
            ) => {
                self.text(path, text, kind);
            }
            _ => self.fault(path, "cast", format!("type mismatch. Expected {}", kind.expected())),
        }
    }

    fn number(&mut self, path: &str, number: &serde_json::Number, range: Range) {
        let text = number.to_string();
        let decimal = text
            .parse::<Decimal>()
            .ok()
            .filter(|decimal| decimal.whole_digits() <= Decimal::MAX_WHOLE_DIGITS);
        let is_right = decimal.is_some_and(|decimal| {
            !decimal.is_negative()
                && (range.has_zero || !decimal.is_zero())
                && decimal.decimals() <= range.decimals
        });
        if !is_right {
            let least = if range.has_zero { "not negative" } else { "above 0" };
            self.fault(
                path,
                "number",
                format!(
                    "must be {least}, with at most {} digits before and {} after the point",
                    Decimal::MAX_WHOLE_DIGITS,
                    range.decimals
                ),
            );
        }
    }

    fn text(&mut self, path: &str, text: &str, kind: Kind) {
        match kind {
            Kind::Uuid if parse_uuid(text).is_err() => {
                self.fault(path, "format", "string does not match the format of a UUID");
            }
            Kind::Text(most) if text.chars().count() > most => {
                self.fault(path, "length", format!("expected at most {most} characters"));
            }
            Kind::Text(_) if text.contains('\0') => {
                self.fault(path, "format", "string holds a NUL character");
            }
            Kind::Digits(count) if text.len() != count || !text.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.fault(path, "format", format!("string does not match the format of {count} digits"));
            }
            Kind::Time if Timestamp::parse_or_utc(text).is_err() => {
                self.fault(path, "datetime", "string does not match the format of an ISO 8601 date and time");
            }
            Kind::Word(words) if !words.contains(&text) => {
                self.faults.push(Invalid::property_not_in_enum(path, words));
            }
            // Which units there are is configured, and may be a long list.
            Kind::Unit if !(self.units)(text) => {
                self.faults.push(Invalid::property_not_in_enum(path, &[]));
            }
            _ => {}
        }
    }
}

impl Kind {
    const fn expected(self) -> &'static str {
        match self {
            Self::Uuid => "a string that holds a UUID",
            Self::Text(_) | Self::Digits(_) | Self::Time | Self::Word(_) | Self::Unit => "a string",
            Self::Boolean => "true or false",
            Self::Number(_) => "a number",
            Self::Object(_) => "an object",
            Self::List(..) => "a list",
        }
    }
}
