use std::borrow::Cow;
use std::cmp::Ordering;

use esoz_kernel::Decimal;
use esoz_registries::Reimbursement;

use super::faults::{Fault, each, fault};
use super::program_devices::Chosen;
use super::texts;
use super::{CreatePolicy, CreateRefusal, NewDetail, NewDispense};

const DISCOUNT_AMOUNT: &str = "discount_amount";

/// Rules 31 and 32: prices are there with a program, and discounts within what it allows. Returns what it allows for a package of each detail, in
/// hryvnias, not rounded; `None` without a program.
pub(super) fn check(
    body: &NewDispense,
    program_devices: &[Option<Chosen<'_>>],
    policy: &CreatePolicy,
) -> Result<Vec<Option<Decimal>>, CreateRefusal> {
    let has_program = body.program.is_some();
    each(&body.details, CreateRefusal::Prices, |place, detail| presence(place, detail, has_program))?;
    let chosen = |place: usize| program_devices.get(place).copied().flatten();
    each(&body.details, CreateRefusal::Discount, |place, detail| {
        let text = chosen(place).and_then(|chosen| discount(detail, chosen, policy));
        text.map(|text| fault(place, DISCOUNT_AMOUNT, text)).into_iter().collect()
    })?;
    let allowed = |(place, detail): (usize, &NewDetail)| {
        Some(allowed_for_package(&chosen(place)?.0.reimbursement, detail.sell_price.as_ref()?))
    };
    Ok(body.details.iter().enumerate().map(allowed).collect())
}

/// Rule 31.
fn presence(place: usize, detail: &NewDetail, has_program: bool) -> Vec<Fault> {
    let (price, discount) = (detail.sell_price.is_some(), detail.discount_amount.is_some());
    let faults = [
        (has_program && !price, "sell_price", texts::NO_SELL_PRICE),
        (has_program && !discount, DISCOUNT_AMOUNT, "Required property discount_amount was not present"),
        (
            !has_program && discount,
            DISCOUNT_AMOUNT,
            "Property discount_amount shouldn't be submitted if medical program is absent",
        ),
    ];
    faults
        .into_iter()
        .filter(|(is_wrong, ..)| *is_wrong)
        .map(|(_, field, text)| fault(place, field, text))
        .collect()
}

/// What a program allows for one package at that price.
fn allowed_for_package(reimbursement: &Reimbursement, sell_price: &Decimal) -> Decimal {
    match reimbursement {
        Reimbursement::Fixed(amount) => amount.clone(),
        Reimbursement::Percentage(percentage) => (sell_price * percentage).shifted(-2),
    }
}

/// Rule 32, or why the discount breaks it. What is allowed for the item is a quotient, by the packaging count, so both sides are multiplied by it.
fn discount(
    detail: &NewDetail,
    (device, definition): Chosen<'_>,
    policy: &CreatePolicy,
) -> Option<Cow<'static, str>> {
    let (sell_price, discount) = (detail.sell_price.as_ref()?, detail.discount_amount.as_ref()?);
    let zero = Decimal::from(0);
    if device.reimbursement == Reimbursement::Percentage(zero.clone()) && *discount > zero {
        return Some(texts::DISCOUNT_NOT_ZERO.into());
    }
    let count = &definition.packaging_count;
    let allowed = allowed_for_package(&device.reimbursement, sell_price);
    let (asked, allowed_in_all) = (discount * count, &allowed * &detail.quantity);
    if asked > &allowed_in_all + &(&policy.discount_tolerance * count) {
        return Some(texts::DISCOUNT_TOO_LARGE.into());
    }
    let least = &Decimal::from(1) - policy.discount_deviation.as_ref()?;
    let is_below = asked.cmp(&(&least * &allowed_in_all)) == Ordering::Less;
    (allowed > zero && is_below).then(|| texts::discount_too_small(&least))
}
