//! Rules 29 to 32: quantities, prices and discounts.

use esoz_kernel::Decimal;
use esoz_registries::Reimbursement;

use super::*;

const DISCOUNT: &str = "$.details[0].discount_amount";

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The text of rule 32 for a discount on six pieces, in packages of three, of 50 hryvnias each.
fn discount(
    reimbursement: Reimbursement,
    discount: &str,
    change: impl Fn(&mut CreatePolicy),
) -> Option<String> {
    let mut fixture = Fixture::new();
    fixture.facts.registries.program_devices[0].0.reimbursement = reimbursement;
    fixture.detail().discount_amount = Some(decimal(discount));
    change(&mut fixture.facts.policy);
    let mut told = fixture.decide().err()?.faults();
    let (entry, text) = told.pop().unwrap();
    assert_eq!((entry.as_str(), told.len()), (DISCOUNT, 0));
    Some(text)
}

const TOO_MUCH: Option<&str> =
    Some("Requested discount amount must be less or equal to allowed reimbursement amount");

#[test]
fn given_a_fixed_amount_then_the_discount_is_at_most_that_for_each_package() {
    // Two packages of 30.
    for (asked, expected) in [("0", None), ("59.99", None), ("60", None), ("60.01", TOO_MUCH)] {
        let told = discount(Reimbursement::Fixed(decimal("30")), asked, |_| {});
        assert_eq!(told.as_deref(), expected, "{asked}");
    }
}

#[test]
fn given_a_percentage_then_nothing_is_rounded() {
    // 33.33 % of 50 is 16.665 for a package: 33.33 for two.
    for (asked, expected) in [("33.33", None), ("33.34", TOO_MUCH)] {
        let told = discount(Reimbursement::Percentage(decimal("33.33")), asked, |_| {});
        assert_eq!(told.as_deref(), expected, "{asked}");
    }
}

#[test]
fn given_three_packages_then_the_quotient_is_exact() {
    // A third of a package: what is allowed for one piece is 10, for the packaging count does not divide what is allowed evenly.
    for (asked, expected) in [("33.33", None), ("33.34", TOO_MUCH)] {
        let mut fixture = Fixture::new();
        fixture.request().quantity = None;
        fixture.facts.registries.program_devices[0].0.reimbursement = Reimbursement::Fixed(decimal("100"));
        fixture.facts.registries.program_devices[0].1.packaging_count = 3.into();
        fixture.facts.registries.definitions[0].packaging_count = 1.into();
        fixture.detail().quantity = 1.into();
        fixture.detail().discount_amount = Some(decimal(asked));
        let told = fixture.decide().err().and_then(|refusal| refusal.faults().pop());
        assert_eq!(told.map(|(_, text)| text).as_deref(), expected, "{asked}");
    }
}

#[test]
fn given_zero_percent_then_there_is_no_discount() {
    let zero = || Reimbursement::Percentage(decimal("0.00"));
    assert_eq!(discount(zero(), "0", |_| {}), None);
    let told = discount(zero(), "0.01", |policy| policy.discount_tolerance = decimal("5"));
    assert_eq!(told.as_deref(), Some("Requested discount amount must be equal to 0"));
}

#[test]
fn given_a_tolerance_then_the_discount_may_exceed_by_it_and_no_more() {
    for (asked, expected) in [("60.5", None), ("60.51", TOO_MUCH)] {
        let told = discount(Reimbursement::Fixed(decimal("30")), asked, |policy| {
            policy.discount_tolerance = decimal("0.5");
        });
        assert_eq!(told.as_deref(), expected, "{asked}");
    }
}

#[test]
fn given_a_deviation_then_the_discount_may_stay_below_by_it_and_no_more() {
    let text = "The ratio of requested discount amount to allowed reimbursement amount must be greater or equal to 0.95";
    let with_deviation = |policy: &mut CreatePolicy| policy.discount_deviation = Some(decimal("0.05"));
    for (asked, expected) in [("57", None), ("56.99", Some(text)), ("0", Some(text)), ("60.01", TOO_MUCH)] {
        let told = discount(Reimbursement::Fixed(decimal("30")), asked, with_deviation);
        assert_eq!(told.as_deref(), expected, "{asked}");
    }
    assert_eq!(discount(Reimbursement::Fixed(decimal("0")), "0", with_deviation), None);
}

#[test]
fn given_a_program_then_both_prices_are_there_and_without_one_no_discount_is() {
    let both = faults(|fixture| {
        (fixture.detail().sell_price, fixture.detail().discount_amount) = (None, None);
    });
    assert_eq!(
        both,
        [
            fault("$.details[0].sell_price", "Required property sell_price was not present"),
            fault(DISCOUNT, "Required property discount_amount was not present"),
        ]
    );
    let without_program = |change: fn(&mut NewDetail)| {
        move |fixture: &mut Fixture| {
            (fixture.facts.body.program, fixture.request().program) = (None, None);
            change(fixture.detail());
        }
    };
    let told = faults(without_program(|_| {}));
    assert_eq!(
        told,
        [fault(DISCOUNT, "Property discount_amount shouldn't be submitted if medical program is absent")]
    );
    assert!(passes(without_program(|detail| detail.discount_amount = None)));
    assert!(passes(without_program(|detail| (detail.sell_price, detail.discount_amount) = (None, None))));
}

#[test]
fn given_several_details_then_their_sum_is_what_was_prescribed() {
    for (quantities, expected) in [(["3", "3"], true), (["3", "6"], false), (["3", "0.003"], false)] {
        let mut fixture = Fixture::new();
        let detail = fixture.detail().clone();
        fixture.facts.body.details.push(detail);
        for (detail, quantity) in fixture.facts.body.details.iter_mut().zip(quantities) {
            (detail.quantity, detail.discount_amount) = (decimal(quantity), Some(0.into()));
        }
        let refusal = fixture.decide().err();
        assert_eq!(refusal.is_none(), expected, "{quantities:?} {refusal:?}");
    }
}
