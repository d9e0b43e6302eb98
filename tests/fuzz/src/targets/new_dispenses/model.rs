//! The table of the specification, and which faults a body has by it.

use std::collections::BTreeSet;

use esoz_kernel::Timestamp;
use serde_json::{Map, Value};

use crate::json::is_uuid;

/// The faults of a body: where and which rule.
pub(super) fn faults(body: &Map<String, Value>) -> BTreeSet<(String, String)> {
    let mut model = Model::default();
    model.object("$", body, NEW_DISPENSE);
    model.0
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Holds {
    Uuid,
    Text(usize),
    Digits,
    Boolean,
    Time,
    /// A number with at most so many decimals; above 0, or 0 too.
    Number {
        decimals: usize,
        zero: bool,
    },
    Word(&'static str),
    Object(&'static [Field]),
    List(&'static [Field], usize),
}

/// A name, whether it is wanted, and what it holds.
type Field = (&'static str, bool, Holds);

/// A Reference with that code, or with any.
macro_rules! reference {
    ($code:expr) => {
        Holds::Object(&[(
            "identifier",
            true,
            Holds::Object(&[
                (
                    "type",
                    true,
                    Holds::Object(&[
                        (
                            "coding",
                            true,
                            Holds::List(
                                &[("system", true, Holds::Word("eHealth/resources")), ("code", true, $code)],
                                1,
                            ),
                        ),
                        ("text", false, Holds::Text(255)),
                    ]),
                ),
                ("value", true, Holds::Uuid),
            ]),
        )])
    };
}

const ANY: Holds = reference!(Holds::Text(255));
const MONEY: Holds = Holds::Number { decimals: 2, zero: true };

const NEW_DISPENSE: &[Field] = &[
    ("id", true, Holds::Uuid),
    ("status", true, Holds::Word("in_progress")),
    ("performer", true, reference!(Holds::Word("employee"))),
    ("location", true, reference!(Holds::Word("division"))),
    ("based_on", true, reference!(Holds::Word("device_request"))),
    ("program", false, reference!(Holds::Word("medical_program"))),
    ("primary_source", false, Holds::Boolean),
    ("note", false, Holds::Text(3_000)),
    ("when_handed_over", false, Holds::Time),
    ("verification_code", false, Holds::Digits),
    ("details", true, Holds::List(DETAIL, 100)),
];

const DETAIL: &[Field] = &[
    ("device", false, ANY),
    (
        "device_code",
        false,
        Holds::Object(&[
            (
                "coding",
                true,
                Holds::List(&[("system", true, Holds::Text(255)), ("code", true, Holds::Text(255))], 1),
            ),
            ("text", false, Holds::Text(255)),
        ]),
    ),
    (
        "quantity",
        true,
        Holds::Object(&[
            ("value", true, Holds::Number { decimals: 3, zero: false }),
            ("system", true, Holds::Word("device_unit")),
            ("code", true, Holds::Word("piece")),
        ]),
    ),
    ("program_device", false, ANY),
    ("sell_price", false, MONEY),
    ("discount_amount", false, MONEY),
];

/// The faults that were found.
#[derive(Default)]
struct Model(BTreeSet<(String, String)>);

impl Model {
    fn fault(&mut self, path: &str, rule: &str) {
        self.0.insert((path.to_owned(), rule.to_owned()));
    }

    fn object(&mut self, path: &str, given: &Map<String, Value>, fields: &'static [Field]) {
        for (name, is_wanted, holds) in fields {
            let path = format!("{path}.{name}");
            match given.get(*name) {
                Some(value) => self.value(&path, value, *holds),
                None if *is_wanted => self.fault(&path, "required"),
                None => {}
            }
        }
        if fields[0].0 == "device" && given.contains_key("device") == given.contains_key("device_code") {
            self.fault(path, "schema");
        }
        for name in given.keys().filter(|name| fields.iter().all(|field| field.0 != **name)) {
            let is_plain = (1..=64).contains(&name.len())
                && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
            self.fault(&if is_plain { format!("{path}.{name}") } else { path.to_owned() }, "schema");
        }
    }

    fn value(&mut self, path: &str, value: &Value, holds: Holds) {
        let broken = match (holds, value) {
            (Holds::Object(fields), Value::Object(given)) => return self.object(path, given, fields),
            (Holds::List(fields, most), Value::Array(items)) if (1..=most).contains(&items.len()) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&format!("{path}[{index}]"), item, Holds::Object(fields));
                }
                return;
            }
            (Holds::List(..), Value::Array(_)) => Some("length"),
            (Holds::Number { decimals, zero }, Value::Number(number)) => {
                let text = number.to_string();
                let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
                let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
                let is_zero = whole.trim_start_matches('-').is_empty() && part.is_empty();
                let is_right = (is_zero && zero) || !is_zero && !whole.starts_with('-');
                (!is_right || part.len() > decimals || whole.len() > 12).then_some("number")
            }
            (Holds::Boolean, Value::Bool(_)) => None,
            (Holds::Uuid, Value::String(text)) => (!is_uuid(text)).then_some("format"),
            (Holds::Text(most), Value::String(text)) if text.chars().count() > most => Some("length"),
            (Holds::Text(_), Value::String(text)) => text.contains('\0').then_some("format"),
            (Holds::Digits, Value::String(text)) => {
                (text.len() != 4 || text.bytes().any(|byte| !byte.is_ascii_digit())).then_some("format")
            }
            (Holds::Time, Value::String(text)) => {
                Timestamp::parse_or_utc(text).is_err().then_some("datetime")
            }
            (Holds::Word(word), Value::String(text)) => (text != word).then_some("inclusion"),
            _ => Some("cast"),
        };
        if let Some(rule) = broken {
            self.fault(path, rule);
        }
    }
}
