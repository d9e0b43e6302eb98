//! The texts of the rules that name a detail, which the rule and the example of its answer share. They are part of the protocol.

use std::borrow::Cow;

use esoz_kernel::Decimal;

/// Rules 22 and 27: a reference is to something else.
pub(super) const NOT_IN_ENUM: &str = "value is not allowed in enum";
/// Rule 23.
pub(super) const DEVICE_NOT_FOUND: &str = "Device definition not found";
/// Rule 24.
pub(super) const DEVICE_MISMATCH: &str = "Dispensed device doesn't match with prescribed device";
/// Rule 25.
pub(super) const PACKAGING_UNIT: &str =
    "Dispensed packaging unit doesn't match with prescribed packaging unit";
/// Rule 26.
pub(super) const PACKAGING_COUNT: &str =
    "The quantity must be divisible to packaging_count of prescribed Device Definition";
/// Rule 27.
pub(super) const PROGRAM_DEVICE_NOT_ACTIVE: &str = "Program device is not active";
/// Rule 28.
pub(super) const DAILY_COUNT: &str = "max daily count exceeded";
/// Rule 30.
pub(super) const UNIT: &str = "Does not match the packaging unit of the prescribed device";
/// Rule 31.
pub(super) const NO_SELL_PRICE: &str = "Required property sell_price was not present";
/// Rule 32.
pub(super) const DISCOUNT_NOT_ZERO: &str = "Requested discount amount must be equal to 0";
/// Rule 32.
pub(super) const DISCOUNT_TOO_LARGE: &str =
    "Requested discount amount must be less or equal to allowed reimbursement amount";
/// Rule 32: the discount is below that part of what is allowed.
pub(super) fn discount_too_small(least: &Decimal) -> Cow<'static, str> {
    format!("The ratio of requested discount amount to allowed reimbursement amount must be greater or equal to {least}").into()
}
