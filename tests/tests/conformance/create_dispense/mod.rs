//! N01 to N40 and I01 of a create: a device dispense is recorded, over HTTP, on every store.

mod body;
mod cases;
mod codes;
mod day;
mod discount;
mod earlier;
mod idempotency;
mod races;
mod record;
mod rules;

use esoz_tests::{Answer, Kind, Setup, TestApp};

/// A server that asks for everything that an operator may ask for, and has two units in its dictionary.
fn strict(kind: Kind) -> Setup {
    Setup::new(kind)
        .variable("ESOZ_DEVICE_DISPENSE__ACTIVE_PATIENTS", "true")
        .variable("ESOZ_DEVICE_DISPENSE__VERIFIED_PATIENTS", "true")
        .variable("ESOZ_DEVICE_DISPENSE__DIVISION_DLS_VERIFY", "true")
        .variable("ESOZ_DEVICE_DISPENSE__UNITS", r#"{ "piece" = "шт", "ml" = "мл" }"#)
}

/// What a refused create is told.
#[derive(Debug, Clone, Copy)]
enum Told {
    NotFound,
    Conflict(&'static str),
    ConflictAt(&'static str, &'static str),
    Refused(&'static [(&'static str, &'static str)]),
    Forbidden(&'static str),
}

impl Told {
    /// The status of the answer.
    fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Conflict(_) | Self::ConflictAt(..) => 409,
            Self::Refused(_) => 422,
            Self::Forbidden(_) => 403,
        }
    }

    /// Holds an answer against it.
    #[track_caller]
    fn assert_is(self, answer: &Answer) {
        match self {
            Self::NotFound => answer.assert_not_found(),
            Self::Conflict(message) => answer.assert_conflict(message),
            Self::ConflictAt(entry, message) => {
                answer.assert_error_at(409, "request_conflict", message, entry);
            }
            Self::Refused(faults) => answer.assert_refused(faults),
            Self::Forbidden(message) => answer.assert_error(403, "forbidden", message),
        }
    }
}

/// No event was delivered: nothing was recorded.
async fn assert_nothing_happened(app: &TestApp) {
    app.settled().await;
    assert_eq!(app.delivered().messages().await, []);
}

const OTHER_ACTIVE: Told = Told::Refused(&[("$.based_on", "Other active device dispense already exist.")]);
const ID_TAKEN: Told = Told::ConflictAt("$.id", "Device dispense with such id already exists");
const NOT_ACTIVE: Told = Told::ConflictAt("$.based_on", "Device request is not active");
const EXPIRED: Told = Told::ConflictAt("$.based_on", "Device request is expired for dispense");
const NOT_QUALIFIED: Told = Told::Conflict(
    "Device request can not be dispensed. Invoke qualify dispense request API to get detailed info",
);
const WRONG_CODE: Told = Told::Forbidden("Incorrect code");
